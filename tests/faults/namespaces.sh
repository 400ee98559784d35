#!/usr/bin/env bash
# Partitions, loss and latency between network namespaces: two nodes, each in a namespace of its own, connected to
# the coordinator's by a cable (veth). Needs root, or user namespaces; says so and skips where they are not allowed.
#   tests/faults/namespaces.sh [BUILD_DIRECTORY [POINTS [SEED]]]
# A partition replaces the other end's hardware address by one that nobody has: what is sent vanishes without a
# word, one way or both, and needs neither iptables nor netem. Loss and latency need netem, and skip without it.
set -uo pipefail
cd "$(dirname "$0")/../.."
build="$(realpath "${1:-build/release}")"
points="${2:-3}"
seed="${3:-2026}"
if [ "${TRIAGE_INSIDE:-}" != yes ]; then
  for how in "unshare --net --mount --pid --fork" "unshare --map-root-user --net --mount --pid --fork"; do
    # With a process namespace of their own, nodes cannot outlive this script.
    if $how true 2>/dev/null; then
      TRIAGE_INSIDE=yes exec $how --mount-proc "$0" "$build" "$points" "$seed"
    fi
  done
  echo "SKIPPED: network namespaces are not allowed here (neither as this user nor as root of an own user namespace)"
  exit 0
fi
for tool in ip tc; do
  command -v "$tool" >/dev/null || { echo "SKIPPED: $tool is missing (apt-get install iproute2)"; exit 0; }
done
mount -t tmpfs none /run && mkdir -p /run/netns || { echo "SKIPPED: no private /run"; exit 0; }
ip link set lo up
for k in 1 2; do
  ip netns add "n$k" && ip link add "c$k" type veth peer name "e$k" && ip link set "e$k" netns "n$k" ||
    { echo "SKIPPED: this kernel has no virtual cables (veth)"; exit 0; }
  ip addr add "10.77.$k.1/24" dev "c$k" && ip link set "c$k" up
  ip -n "n$k" addr add "10.77.$k.2/24" dev "e$k" && ip -n "n$k" link set "e$k" up && ip -n "n$k" link set lo up
done
triage="$build/triage"
port=7707
scratch="$(mktemp -d)"
trap 'kill -9 $(jobs -p) 2>/dev/null; rm -rf "$scratch"' EXIT
RANDOM=$seed
failed=0

# What the other end of cable $1 is called there: "to" the coordinator or "from" it.
hardware_address() { ip -n "$1" -o link show "$2" | sed -E 's/.*link\/ether ([0-9a-f:]+).*/\1/'; }
mac_node="$(hardware_address n2 e2)"
mac_coordinator="$(ip -o link show c2 | sed -E 's/.*link\/ether ([0-9a-f:]+).*/\1/')"
nobody=02:00:00:00:00:77
set_way() { # from|to the node, address
  if [ "$1" = to ]; then ip neigh replace 10.77.2.2 lladdr "$2" dev c2 nud permanent
  else ip -n n2 neigh replace 10.77.2.1 lladdr "$2" dev e2 nud permanent; fi
}
heal() { set_way to "$mac_node"; set_way from "$mac_coordinator"; }
heal

figure() { "$triage" status "127.0.0.1:$port" --insecure --json 2>/dev/null | sed -nE "s/.*\"$1\": ?([0-9.e+-]+).*/\1/p" | head -1; }
reached() { awk -v a="${1:-0}" -v b="$2" 'BEGIN { exit !(a >= b) }'; }

start() { # policy, epochs, part of the data
  rm -rf "$scratch/run"
  timeout -s KILL 300 "$triage" train examples/fashion_mlp.json --run-dir "$scratch/run" --quiet --listen "0.0.0.0:$port" \
    --insecure --min-workers 2 --wait 120 --set runtime.workers=0 --set runtime.estimators=0 --set sampling=uniform \
    --set 'model=[{"type":"dense","units":64,"activation":"relu"},{"type":"dense","units":10}]' --set batch_size=16 \
    --set optimizer.momentum=0 --set optimizer.nesterov=false --set "data.regime.subset=$3" --set "duration.epochs=$2" \
    --set "runtime.exchange={\"policy\":\"$1\"}" >"$scratch/coordinator.txt" 2>&1 &
  coordinator=$!
  nodes=()
  for k in 1 2; do
    ip netns exec "n$k" timeout -s KILL 300 "$triage" node --join "10.77.$k.1:$port" --insecure --name "node$k" --threads 1 \
      --role worker --wait 200 >"$scratch/node$k.txt" 2>&1 &
    nodes+=($!)
  done
}
log() { cat "$scratch/run/log.txt" 2>/dev/null; }
fail() { echo "FAILED: $1"; log | tail -n 20; failed=1; }
finish() { # epochs
  wrong=unknown
  wait "$coordinator"
  local code=$?
  wait "${nodes[@]}" 2>/dev/null
  [ $code -eq 0 ] || { fail "exit code $code"; return; }
  "$triage" ledger "$scratch/run" --output-dir "$scratch/ledger" >/dev/null 2>&1
  wrong=$(awk -F, -v e="$1" 'NR > 1 && $3 != e { n++ } END { print n + 0 }' "$scratch/ledger/ledger.csv")
  [ "$wrong" = 0 ] || fail "$wrong points were not trained exactly $1 times"
}

for seconds in 1 10 60; do
  for ((point = 0; point < points; ++point)); do
    ways=("to from" to from)
    way="${ways[$((point % 3))]}"
    policy=$([ $((RANDOM % 2)) = 0 ] && echo bsp || echo ssp)
    moment=$(awk -v r=$RANDOM 'BEGIN { print 0.5 + 2.5 * r / 32768 }') # of four epochs
    start $policy 4 0.256
    for ((i = 0; i < 600; ++i)); do
      reached "$(figure epochs)" "$moment" && break
      kill -0 "$coordinator" 2>/dev/null || break
      sleep 0.05
    done
    begin=$(date +%s.%N)
    for w in $way; do set_way "$w" $nobody; done
    detected=-
    while awk -v a="$begin" -v b="$(date +%s.%N)" -v s=$seconds 'BEGIN { exit !(b - a < s) }'; do
      if [ $detected = - ] && log | grep -q "node2/worker-0 left the run"; then
        detected=$(awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f", b - a }')
      fi
      sleep 0.02
    done
    heal
    finish 4
    if [ $seconds -ge 10 ]; then
      [ $detected != - ] || fail "the lost node was not named"
      [ "$(log | grep -c 'node2 joined from')" -ge 2 ] || fail "the node did not come back"
    fi
    echo "partition ($way the node) for $seconds s, $policy, at epoch $moment: detected after $detected s, $wrong points wrong"
  done
done

if tc qdisc add dev c1 root netem delay 25ms loss 1% 2>/dev/null; then
  tc qdisc add dev c2 root netem delay 25ms loss 1%
  for k in 1 2; do ip netns exec "n$k" tc qdisc add dev "e$k" root netem delay 25ms loss 1%; done
  for ((point = 0; point < points; ++point)); do
    start bsp 1 0.0384
    finish 1
    echo "1 % loss and 50 ms of round trip: $wrong points wrong, $(log | grep -c 'left the run') lost"
  done
else
  echo "SKIPPED: loss and latency, since this kernel has no netem; test_faults emulates them"
fi
[ $failed = 0 ] && echo "all passed"
exit $failed
