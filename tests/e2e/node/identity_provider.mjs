// A certified OpenID provider (npm oidc-provider) for the tests: client "app" gets signed access tokens (RFC 9068)
// for the audience "candor" by its secret. Arguments: the folder it is installed in, an algorithm. Prints its port. On standard input: "rotate KID" changes its key.
import { generateKeyPairSync } from "node:crypto";
import { createInterface } from "node:readline";
import http from "node:http";
import { pathToFileURL } from "node:url";

const [folder, algorithm = "RS256"] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(`${folder}/node_modules/oidc-provider/lib/index.js`));
const pairs = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
};
const key = (kid, alg) => ({ ...pairs[alg]().privateKey.export({ format: "jwk" }), kid, use: "sig", alg });

let handler;
let issuer;
function start(kid) {
  const provider = new Provider(issuer, {
    jwks: { keys: [key(kid, algorithm), key(`id-${kid}`, "RS256")] }, // id tokens are always RS256 here
    ttl: { ClientCredentials: 300 },
    clients: ["app", "other"].map((client_id) => ({
      client_id, client_secret: "secret", grant_types: ["client_credentials"], redirect_uris: [], response_types: [],
    })),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => "urn:candor",
        getResourceServerInfo: (_, resource) => ({
          scope: "chat", audience: resource === "urn:candor" ? "candor" : "elsewhere", accessTokenTTL: 300,
          accessTokenFormat: "jwt", jwt: { sign: { alg: algorithm } },
        }),
      },
    },
    extraTokenClaims: (_, token) => ({ groups: token.clientId === "app" ? ["ml", "staff"] : ["guests"] }),
  });
  handler = provider.callback();
}
const server = http.createServer((request, response) => handler(request, response));
server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  start("first");
  console.log(server.address().port);
});
createInterface({ input: process.stdin }).on("line", (line) => {
  const [, kid] = line.split(" ");
  start(kid);
  console.log(`rotated to ${kid}`);
}).on("close", () => process.exit());
