# token_bench: how many tokens a second auth's verification judges.
if(TARGET auth_core)
  add_executable(token_bench EXCLUDE_FROM_ALL ${CMAKE_CURRENT_LIST_DIR}/token_bench.c)
  target_link_libraries(token_bench PRIVATE auth_core)
  set_target_properties(token_bench PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endif()
