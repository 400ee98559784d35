# Compiler settings shared by every target of the project. Our own code is held to strict warnings;
# third-party headers are system headers and are not.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

add_library(triage_settings INTERFACE)
target_include_directories(triage_settings INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(triage_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
  # GCC 12 sees these where std::optional and std::string are inlined; the sanitizers look for the real ones.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CONFIG:Release,RelWithDebInfo>:-O3>)

# Build type of the sanitizers' presets: short builds, line numbers, and the checks of the standard library.
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g1 -D_GLIBCXX_ASSERTIONS")

if(TRIAGE_SANITIZE)
  add_compile_options(-fsanitize=${TRIAGE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TRIAGE_SANITIZE})
endif()

# triage_layer(name DEPENDS layers... LIBRARIES libs...): one static library per folder, made of all
# sources in it. Layers are linked exactly along the arrows of docs/architecture.md.
function(triage_layer name)
  cmake_parse_arguments(arg "" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "*.cpp")
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC triage_settings ${arg_DEPENDS} PRIVATE ${arg_LIBRARIES})
endfunction()
