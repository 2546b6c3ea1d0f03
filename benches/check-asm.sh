#!/bin/bash
# Compiles the probes for release and looks at their instructions: the operations of the data path
# hold no locked instruction and no fence. Exit status 0 if so.
#
# That the check can fail is checked too: a probe with a fence in it has to be found.
set -euo pipefail
cd "$(dirname "$0")"

case "$(rustc -vV | awk '/^host:/ { print $2 }')" in
x86_64-*) ;;
*) echo "check-asm: knows the instructions of x86_64 only" >&2; exit 2 ;;
esac

# A folder of its own, so that the assembly of no other build is taken for this one's.
target=${CARGO_TARGET_DIR:-../target}/check-asm
rm -rf "$target"/release/deps/asm_probe*
cargo rustc --quiet --release --target-dir "$target" --bin asm_probe -- \
    --emit asm -C codegen-units=1 -C llvm-args=-x86-asm-syntax=att
asm=$(ls "$target"/release/deps/asm_probe*.s)

# The instructions of one function: from its label to its end, without directives and labels.
body() {
    awk -v label="$1:" '
        $1 == label { inside = 1; next }
        inside && $1 == ".cfi_endproc" { exit }
        inside && $1 !~ /^\./ && $1 !~ /:$/ && $1 !~ /^#/ { print }
    ' "$asm"
}

# Locked instructions (an exchange with memory locks by itself) and fences.
costly() {
    grep -E '^[[:space:]]*(lock|[lms]fence|xchg[bwlq]?[[:space:]].*\()' || true
}

status=0
for probe in probe_trigger_asymmetric probe_push probe_pop; do
    lines=$(body "$probe")
    found=$(costly <<<"$lines")
    if [ -z "$lines" ]; then
        echo "FAILED $probe: not there"
        status=1
    elif [ -n "$found" ]; then
        echo "FAILED $probe:"
        echo "$found"
        status=1
    else
        echo "ok     $probe: $(wc -l <<<"$lines") instructions, none locked, no fence"
    fi
done

found=$(body probe_trigger_fence | costly)
if [ -n "$found" ]; then
    echo "ok     probe_trigger_fence: found, as it has to be:$(head -1 <<<"$found" | tr '\t' ' ')"
else
    echo "FAILED probe_trigger_fence: the check does not see its fence"
    status=1
fi
exit $status
