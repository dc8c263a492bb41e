# SPDX-License-Identifier: Apache-2.0
# Flags that every target shares, and room(): one call makes a room's library, its unit tests and its fuzz targets.

add_library(slipway_flags INTERFACE)
target_include_directories(slipway_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(slipway_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
  -fstack-protector-strong
  -Wno-missing-field-initializers)  # designated initialisers leave out the fields that keep their default
target_link_libraries(slipway_flags INTERFACE fmt::fmt Threads::Threads)
if(SLIPWAY_SANITIZE)
  target_compile_options(slipway_flags INTERFACE -fsanitize=${SLIPWAY_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(slipway_flags INTERFACE -fsanitize=${SLIPWAY_SANITIZE})
  if(SLIPWAY_SANITIZE MATCHES "address,undefined")
    # Checks at every use of a pointer: a third of the compile time, for what ASan or the processor stops at, too.
    target_compile_options(slipway_flags INTERFACE -fno-sanitize=null,alignment,vptr)
  endif()
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these for inlined std code it sees through a sanitizer or -O2; clang checks the same lines.
  target_compile_options(slipway_flags INTERFACE -Wno-maybe-uninitialized -Wno-restrict -Wno-dangling-pointer
    -Wno-stringop-overflow -Wno-array-bounds)
  target_compile_options(slipway_flags INTERFACE -fpch-preprocess)  # lets ccache use precompiled headers
else()
  target_compile_options(slipway_flags INTERFACE "SHELL:-Xclang -fno-pch-timestamp")  # the same
endif()
if(SLIPWAY_UNITY)
  target_compile_options(slipway_flags INTERFACE -Wno-shadow)  # a name of another file's; the other presets check this
endif()
find_program(MOLD mold)
if(MOLD)
  target_link_options(slipway_flags INTERFACE -fuse-ld=mold)
endif()
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${CCACHE})
endif()

# One precompiled header for all rooms: what nearly every file includes.
file(WRITE ${CMAKE_BINARY_DIR}/pch/empty.cpp.new "// made by cmake/room.cmake\n")
file(COPY_FILE ${CMAKE_BINARY_DIR}/pch/empty.cpp.new ${CMAKE_BINARY_DIR}/pch/empty.cpp ONLY_IF_DIFFERENT)
add_library(slipway_pch STATIC ${CMAKE_BINARY_DIR}/pch/empty.cpp)
target_link_libraries(slipway_pch PUBLIC slipway_flags)
target_precompile_headers(slipway_pch PUBLIC <algorithm> <array> <atomic> <chrono> <cstdint> <cstring> <filesystem>
  <functional> <map> <memory> <mutex> <optional> <set> <span> <stop_token> <string> <string_view> <thread>
  <unordered_map> <utility> <variant> <vector> <fmt/format.h>)

add_library(slipway_test_main STATIC ${CMAKE_SOURCE_DIR}/tests/unit_main.cpp)
target_link_libraries(slipway_test_main PUBLIC slipway_flags)

# room(NAME [IMPORTS room...] SOURCES file... [TESTS file...] [FUZZ file...] [LIBS cmake-target...])
#   IMPORTS  the rooms whose headers this room may include; tools/check_layers holds the includes to it
#   TESTS    doctest files beside the code: become the executable NAME_test, run by ctest as unit/NAME
#   FUZZ     files with LLVMFuzzerTestOneInput: become NAME of the file, built with SLIPWAY_FUZZ
#   LIBS     third-party targets that the room wraps
function(room name)
  cmake_parse_arguments(ROOM "" "" "IMPORTS;SOURCES;TESTS;FUZZ;LIBS" ${ARGN})
  add_library(room_${name} STATIC ${ROOM_SOURCES})
  target_precompile_headers(room_${name} REUSE_FROM slipway_pch)
  target_link_libraries(room_${name} PUBLIC slipway_flags PRIVATE ${ROOM_LIBS})
  foreach(import IN LISTS ROOM_IMPORTS)
    target_link_libraries(room_${name} PUBLIC room_${import})
  endforeach()
  if(ROOM_TESTS)
    add_executable(${name}_test ${ROOM_TESTS})
    target_precompile_headers(${name}_test REUSE_FROM slipway_pch)
    target_link_libraries(${name}_test PRIVATE room_${name} slipway_test_main ${ROOM_LIBS})
    add_test(NAME unit/${name} COMMAND ${name}_test --no-intro WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(unit/${name} PROPERTIES TIMEOUT 300 ENVIRONMENT
      "SLIPWAY_BIN=$<TARGET_FILE_DIR:${name}_test>/slipway;ASAN_OPTIONS=detect_leaks=1")
  endif()
  if(SLIPWAY_FUZZ)
    foreach(file IN LISTS ROOM_FUZZ)
      get_filename_component(target ${file} NAME_WE)
      add_executable(${target} ${file})
      target_link_libraries(${target} PRIVATE room_${name} ${ROOM_LIBS})
      target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
endfunction()
