//! Counting cycles.

use core::arch::x86_64::_rdtsc;
use core::fmt::Write;

use res_kernel::composite::syscall::Console;

const BATCHES: u32 = 5;

/// Prints what one call of `body` costs: the mean of the best of a few batches of so many.
pub(crate) fn cost(name: &str, rounds: u32, mut body: impl FnMut()) {
    let best = (0..BATCHES)
        .map(|_| {
            let start = cycles();
            for _ in 0..rounds {
                body();
            }
            cycles() - start
        })
        .min();
    let each = best.unwrap_or(0) / u64::from(rounds);
    // The console takes everything.
    let _ = writeln!(Console, "COST {name} {each}");
}

/// Rounds that a peer of [`cost`] has to take part in.
pub(crate) const fn all_rounds(rounds: u32) -> u32 {
    BATCHES * rounds
}

fn cycles() -> u64 {
    // SAFETY: every processor of this architecture has the instruction, and user level may use it.
    unsafe { _rdtsc() }
}
