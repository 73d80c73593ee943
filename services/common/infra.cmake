# The parts of gh_common below the bus.
target_sources(gh_common PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/admin.c
  ${CMAKE_CURRENT_LIST_DIR}/admin_http.c
  ${CMAKE_CURRENT_LIST_DIR}/clock.c
  ${CMAKE_CURRENT_LIST_DIR}/config_bind.c
  ${CMAKE_CURRENT_LIST_DIR}/config_env.c
  ${CMAKE_CURRENT_LIST_DIR}/config_load.c
  ${CMAKE_CURRENT_LIST_DIR}/config_parse.c
  ${CMAKE_CURRENT_LIST_DIR}/config_report.c
  ${CMAKE_CURRENT_LIST_DIR}/config_scalar.c
  ${CMAKE_CURRENT_LIST_DIR}/config_text.c
  ${CMAKE_CURRENT_LIST_DIR}/config_value.c
  ${CMAKE_CURRENT_LIST_DIR}/log.c
  ${CMAKE_CURRENT_LIST_DIR}/metrics.c
  ${CMAKE_CURRENT_LIST_DIR}/random.c
  ${CMAKE_CURRENT_LIST_DIR}/redis.c
  ${CMAKE_CURRENT_LIST_DIR}/redis_command.c
  ${CMAKE_CURRENT_LIST_DIR}/redis_config.c
  ${CMAKE_CURRENT_LIST_DIR}/redis_poll.c
  ${CMAKE_CURRENT_LIST_DIR}/redis_sentinel.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox.c)
if(GH_TESTS)
  include(${CMAKE_CURRENT_LIST_DIR}/tests.cmake)
endif()
