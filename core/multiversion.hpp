#pragma once

// A portable binary that is fast on every machine: a function marked TRIAGE_MULTIVERSION is compiled for
// several instruction sets, and the loader picks one by the CPU it finds. Results may differ in the last bit
// between machines (fused multiply-add rounds once), never between two calls on one machine.
//
// Off under sanitizers, whose run-time is not ready when the loader resolves such functions, and without
// optimisation. Mark plain functions that loop over memory; what they call must be inlined (TRIAGE_INLINE),
// or it stays at the baseline.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&                 \
    defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TRIAGE_MULTIVERSION __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TRIAGE_MULTIVERSION
#endif

#define TRIAGE_INLINE [[gnu::always_inline]] inline

// Promises that the iterations of the next loop do not depend on each other, also where its arrays may be the
// same memory (an update in place), so that the compiler needs no check at run time before it vectorises.
#if defined(__clang__)
#define TRIAGE_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define TRIAGE_INDEPENDENT _Pragma("GCC ivdep")
#else
#define TRIAGE_INDEPENDENT
#endif
