# What every service, test and fuzz target is built from. A service links gh_common and its own
# libraries, never another service: that is what keeps the processes replaceable.

include_guard(GLOBAL)

add_library(gh_flags INTERFACE)
target_compile_features(gh_flags INTERFACE c_std_17)
target_compile_definitions(gh_flags INTERFACE _GNU_SOURCE)
target_compile_options(gh_flags INTERFACE
  -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wvla
  -Wno-missing-field-initializers -Werror
  -fno-omit-frame-pointer -fstack-protector-strong)
target_include_directories(gh_flags INTERFACE ${PROJECT_SOURCE_DIR}/services)
if(GH_SANITIZE)
  target_compile_options(gh_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(gh_flags INTERFACE -fsanitize=address,undefined)
else()
  target_compile_definitions(gh_flags INTERFACE _FORTIFY_SOURCE=2)
endif()
target_link_options(gh_flags INTERFACE -Wl,-z,relro,-z,now)

# gh_add_service(NAME SOURCES a.c b.c [LINK lib...] [BINARY gatehouse-name])
# Builds <NAME>_core from SOURCES and the executable from main.c alone, so that tests link the rest.
function(gh_add_service NAME)
  cmake_parse_arguments(ARG "" "BINARY" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_BINARY)
    set(ARG_BINARY gatehouse-${NAME})
  endif()
  add_library(${NAME}_core STATIC ${ARG_SOURCES})
  target_include_directories(${NAME}_core PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${NAME}_core PUBLIC gh_common ${ARG_LINK})
  add_executable(${ARG_BINARY} main.c)
  target_link_libraries(${ARG_BINARY} PRIVATE ${NAME}_core)
endfunction()

# gh_add_unit_test(NAME test_x [WRAP fn...] [SOURCES extra.c...] [LINK lib...])
# tests/test_x.c beside the module, against <NAME>_core (or gh_common for NAME "common").
function(gh_add_unit_test NAME TEST)
  cmake_parse_arguments(ARG "" "" "WRAP;SOURCES;LINK" ${ARGN})
  set(TARGET ${NAME}_${TEST})
  add_executable(${TARGET} tests/${TEST}.c ${ARG_SOURCES})
  if(NAME STREQUAL "common")
    target_link_libraries(${TARGET} PRIVATE gh_common)
  else()
    target_link_libraries(${TARGET} PRIVATE ${NAME}_core)
  endif()
  target_link_libraries(${TARGET} PRIVATE PkgConfig::CMOCKA ${ARG_LINK})
  foreach(FN ${ARG_WRAP})
    target_link_options(${TARGET} PRIVATE -Wl,--wrap=${FN})
  endforeach()
  set_target_properties(${TARGET} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${TARGET} COMMAND ${TARGET})
endfunction()

# gh_add_fuzz(NAME fuzz_x [LINK lib...])
# tests/fuzz/fuzz_x.c defines LLVMFuzzerTestOneInput; its corpus is tests/fuzz/corpus/x/. With
# GH_FUZZ (clang) it is a libFuzzer binary; always, a replay binary runs the corpus as a test.
function(gh_add_fuzz NAME FUZZ)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  string(REGEX REPLACE "^fuzz_" "" SHORT ${FUZZ})
  set(LIBS ${ARG_LINK})
  if(NAME STREQUAL "common")
    list(APPEND LIBS gh_common)
  else()
    list(APPEND LIBS ${NAME}_core)
  endif()
  set(SRC ${PROJECT_SOURCE_DIR}/tests/fuzz/${FUZZ}.c)
  add_executable(replay_${SHORT} ${SRC} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.c)
  target_link_libraries(replay_${SHORT} PRIVATE ${LIBS})
  set_target_properties(replay_${SHORT} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME replay_${SHORT}
    COMMAND replay_${SHORT} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${SHORT})
  if(GH_FUZZ)
    add_executable(${FUZZ} ${SRC})
    target_link_libraries(${FUZZ} PRIVATE ${LIBS})
    target_link_options(${FUZZ} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${FUZZ} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  endif()
endfunction()
