# Unit tests and fuzz targets of what infra.cmake lists.
add_library(gh_test_support STATIC EXCLUDE_FROM_ALL
  ${PROJECT_SOURCE_DIR}/tests/support/redis_server.c)
target_include_directories(gh_test_support PUBLIC ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(gh_test_support PUBLIC gh_flags PkgConfig::HIREDIS)

gh_add_unit_test(common test_redis LINK gh_test_support)
gh_add_unit_test(common test_redis_fake)
gh_add_unit_test(common test_log)
gh_add_unit_test(common test_metrics)
gh_add_unit_test(common test_random)
gh_add_unit_test(common test_config)
gh_add_unit_test(common test_config_errors)
if(TARGET common_test_config)
  target_compile_definitions(common_test_config PRIVATE GH_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
endif()
gh_add_unit_test(common test_admin)

add_library(gh_test_stage STATIC EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/support/stage.c)
target_link_libraries(gh_test_stage PUBLIC gh_test_support gh_common PkgConfig::CMOCKA)
gh_add_unit_test(common test_roster LINK gh_test_stage)
gh_add_unit_test(common test_sandbox)
gh_add_fuzz(common fuzz_config)
gh_add_fuzz(common fuzz_admin)
