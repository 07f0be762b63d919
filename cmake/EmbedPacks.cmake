# Writes OUT, a source file that holds FILES as raw strings: FUNCTION of HEADER, in NAMESPACE, answers
# a vector of TYPE, which begins with a file's name and its text (src/dlp/pack.h).
set(text "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n\nstd::vector<${TYPE}> ${FUNCTION}() {\n  return {\n")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  file(READ ${file} content)
  # A raw string may be 64 KiB long for some compilers: pieces are joined.
  string(LENGTH "${content}" size)
  string(APPEND text "      {\"${name}\", ")
  set(at 0)
  while(at LESS size)
    string(SUBSTRING "${content}" ${at} 16000 piece)
    string(APPEND text "R\"~pack~(${piece})~pack~\"\n")
    math(EXPR at "${at} + 16000")
  endwhile()
  string(APPEND text "      },\n")
endforeach()
string(APPEND text "  };\n}\n\n}  // namespace ${NAMESPACE}\n")
file(WRITE ${OUT} "${text}")
