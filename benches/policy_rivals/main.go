// Rivals of ./bench policy: the same rules and the same facts through cel-go and through OPA, in this
// process, prepared once. Prints one JSON object: microseconds for each decision, and what fired.
//
// usage: policy_rivals cel|opa INPUT.json ROUNDS
//        policy_rivals answers EXPRESSIONS.txt    cel-go's answer to each line, as test cases of src/policy/testdata/cel
//
// INPUT: {"rules": [{"id", "when"}], "rego": "...", "facts": [{...}]}
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"google.golang.org/protobuf/encoding/protojson"
)

type input struct {
	Rules []struct{ Id, When string }
	Rego  string
	Facts []map[string]any
}

type output struct {
	PrepareSeconds float64   `json:"prepare_s"`
	Micros         []float64 `json:"micros"`
	Fired          []string  `json:"fired"` // for each of the facts: sorted ids
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "policy_rivals:", err)
		os.Exit(1)
	}
}

// decide answers the ids that fire for the facts of that number.
func measure(count, rounds int, decide func(i int) []string) ([]float64, []string) {
	var micros []float64
	fired := make([]string, count)
	for round := 0; round < rounds; round++ {
		for i := 0; i < count; i++ {
			begin := time.Now()
			ids := decide(i)
			micros = append(micros, float64(time.Since(begin).Nanoseconds())/1000)
			if round == 0 {
				sort.Strings(ids)
				fired[i] = strings.Join(ids, ",")
			}
		}
	}
	return micros, fired
}

func celDecider(in input) func(int) []string {
	env, err := cel.NewEnv(
		cel.Variable("phase", cel.StringType),
		cel.Variable("caller", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("model", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("request", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("findings", cel.ListType(cel.MapType(cel.StringType, cel.DynType))),
		cel.Variable("place", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("jurisdiction", cel.ListType(cel.StringType)),
		cel.Variable("budget", cel.MapType(cel.StringType, cel.DynType)),
	)
	check(err)
	programs := make([]cel.Program, len(in.Rules))
	for i, rule := range in.Rules {
		checked, issues := env.Compile(rule.When)
		check(issues.Err())
		programs[i], err = env.Program(checked, cel.EvalOptions(cel.OptOptimize))
		check(err)
	}
	return func(i int) []string {
		var ids []string
		for j, program := range programs {
			value, _, err := program.Eval(in.Facts[i])
			check(err)
			if value.Value() == true {
				ids = append(ids, in.Rules[j].Id)
			}
		}
		return ids
	}
}

func opaDecider(in input) func(int) []string {
	ctx := context.Background()
	query, err := rego.New(rego.Query("data.candor.fired"), rego.Module("rules.rego", in.Rego)).PrepareForEval(ctx)
	check(err)
	values := make([]ast.Value, len(in.Facts))
	for i, facts := range in.Facts {
		values[i], err = ast.InterfaceToValue(facts)
		check(err)
	}
	return func(i int) []string {
		results, err := query.Eval(ctx, rego.EvalParsedInput(values[i]))
		check(err)
		var ids []string
		if len(results) > 0 {
			for _, id := range results[0].Expressions[0].Value.([]any) {
				ids = append(ids, id.(string))
			}
		}
		return ids
	}
}

func answers(name string) {
	text, err := os.ReadFile(name)
	check(err)
	env, err := cel.NewEnv(cel.CrossTypeNumericComparisons(true))
	check(err)
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		one := map[string]any{"section": "own", "name": fmt.Sprint(i + 1), "expr": line}
		checked, issues := env.Compile(line)
		if issues.Err() != nil {
			fmt.Fprintln(os.Stderr, line, issues.Err())
			continue
		}
		program, err := env.Program(checked)
		check(err)
		value, _, err := program.Eval(map[string]any{})
		if err != nil {
			one["evalError"] = map[string]any{"errors": []any{map[string]any{"message": err.Error()}}}
		} else {
			proto, err := cel.ValueAsAlphaProto(value)
			check(err)
			encoded, err := protojson.Marshal(proto)
			check(err)
			one["value"] = json.RawMessage(encoded)
		}
		encoded, err := json.Marshal(one)
		check(err)
		fmt.Println(string(encoded))
	}
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "answers" {
		answers(os.Args[2])
		return
	}
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: policy_rivals cel|opa INPUT.json ROUNDS")
		os.Exit(2)
	}
	file, err := os.Open(os.Args[2])
	check(err)
	decoder := json.NewDecoder(file)
	var in input
	check(decoder.Decode(&in))
	rounds, err := strconv.Atoi(os.Args[3])
	check(err)
	for _, facts := range in.Facts {
		whole(facts)
	}
	begin := time.Now()
	decider := celDecider
	if os.Args[1] == "opa" {
		decider = opaDecider
	}
	decide := decider(in)
	prepared := time.Since(begin).Seconds()
	micros, fired := measure(len(in.Facts), rounds, decide)
	check(json.NewEncoder(os.Stdout).Encode(output{prepared, micros, fired}))
}

// JSON's numbers are doubles to Go; those without a fraction are ints to CEL.
func whole(value any) any {
	switch typed := value.(type) {
	case map[string]any:
		for key, member := range typed {
			typed[key] = whole(member)
		}
	case []any:
		for i, member := range typed {
			typed[i] = whole(member)
		}
	case float64:
		if typed == float64(int64(typed)) {
			return int64(typed)
		}
	}
	return value
}
