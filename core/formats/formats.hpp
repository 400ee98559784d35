#pragma once

#include "core/dataset.hpp"

#include <memory>

namespace triage {

// One factory per data format; the table in core/dataset.cpp gives them their names.

[[nodiscard]] std::unique_ptr<dataset_format> make_idx_format();
[[nodiscard]] std::unique_ptr<dataset_format> make_cifar10_format();
[[nodiscard]] std::unique_ptr<dataset_format> make_cifar100_format();
[[nodiscard]] std::unique_ptr<dataset_format> make_csv_format();
[[nodiscard]] std::unique_ptr<dataset_format> make_tsv_format();
[[nodiscard]] std::unique_ptr<dataset_format> make_libsvm_format();
[[nodiscard]] std::unique_ptr<dataset_format> make_npy_format();
[[nodiscard]] std::unique_ptr<dataset_format> make_synthetic_format();

} // namespace triage
