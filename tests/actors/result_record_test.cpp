#include "actors/result_record.hpp"

#include <doctest/doctest.h>

using triage::result_record;

TEST_CASE("result record: bad ones in a row, among the last hundred, and good ones ever") {
  result_record r;
  CHECK(r.recent() == 0);
  for (int i = 0; i < 50; ++i)
    r.add(i % 10 != 0);
  CHECK(r.recent() == 50);
  CHECK(r.recent_bad() == 5);
  CHECK(r.good() == 45);
  CHECK(r.bad_in_a_row() == 0);
  r.add(false);
  r.add(false);
  CHECK(r.bad_in_a_row() == 2);
  for (int i = 0; i < 98; ++i)
    r.add(true);
  CHECK(r.recent() == result_record::window);
  CHECK(r.recent_bad() == 2); // those before have been forgotten
  r.add(true);
  r.add(true);
  CHECK(r.recent_bad() == 0);
}
