# verdict_bench: the whole verdict beside parse + write alone, simdjson, jansson and Node.
if(TARGET validator_core)
  add_executable(verdict_bench EXCLUDE_FROM_ALL
    ${CMAKE_CURRENT_LIST_DIR}/verdict_bench.c ${CMAKE_CURRENT_LIST_DIR}/verdict_inputs.c)
  target_link_libraries(verdict_bench PRIVATE validator_core PkgConfig::JANSSON)
  if(TARGET json_simdjson)
    target_link_libraries(verdict_bench PRIVATE json_simdjson)
    target_compile_definitions(verdict_bench PRIVATE HAVE_SIMDJSON)
  endif()
  set_target_properties(verdict_bench PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endif()
