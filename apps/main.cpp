#include "apps/program.hpp"

int main(int argc, char** argv) {
  return triage::run_program({argv, argv + argc});
}
