//! The runner that the benches share, and the rings that they compare.
//!
//! What counts is a ratio to the best peer, measured in one run. criterion measures one candidate
//! after the other, so a machine that gets slower meanwhile is charged to whoever comes last.
//! Here all candidates of a table take turns, one short round each, and the median of the rounds
//! is compared.
//!
//! ```
//! use res_benches::{Candidate, Table};
//!
//! let sum = |n: u64| move || (0..n).fold(0, |sum, k| std::hint::black_box(sum ^ k));
//! let table = Table::measure("xor, one thread", 3, vec![
//!     Candidate::ours("short", move || res_benches::time(100, sum(100))),
//!     Candidate::peer("long", move || res_benches::time(100, sum(100))),
//! ]);
//! assert!(table.to_string().contains("short"));
//! ```

pub mod rings;

use std::fmt;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Instant;

/// Whose a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ours,
    Peer,
    Floor,
}

/// One that takes part: a name, and a round that returns nanoseconds for each operation.
pub struct Candidate<'a> {
    name: String,
    side: Side,
    round: Box<dyn FnMut() -> f64 + 'a>,
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({}, {:?})", self.name, self.side)
    }
}

impl<'a> Candidate<'a> {
    /// Ours: its ratio to the best peer is what the table is for.
    pub fn ours(name: impl Into<String>, round: impl FnMut() -> f64 + 'a) -> Self {
        Self { name: name.into(), side: Side::Ours, round: Box::new(round) }
    }

    /// Somebody else's.
    pub fn peer(name: impl Into<String>, round: impl FnMut() -> f64 + 'a) -> Self {
        Self { name: name.into(), side: Side::Peer, round: Box::new(round) }
    }

    /// The least that the machine asks: shown, but never the best peer.
    pub fn floor(name: impl Into<String>, round: impl FnMut() -> f64 + 'a) -> Self {
        Self { name: name.into(), side: Side::Floor, round: Box::new(round) }
    }
}

/// What a candidate needed, in nanoseconds for each operation.
#[derive(Clone, Debug)]
struct Row {
    name: String,
    side: Side,
    rounds: Vec<f64>,
}

/// A comparison that has been measured.
#[derive(Clone, Debug)]
pub struct Table {
    title: String,
    rows: Vec<Row>,
}

impl Table {
    /// Lets all candidates take turns, `rounds` times, after one round that warms up. Who begins
    /// a turn changes from turn to turn, so that nobody always follows the same one. A round in
    /// which a measured thread was taken off its core is done again, a limited number of times.
    pub fn measure(title: &str, rounds: usize, mut candidates: Vec<Candidate<'_>>) -> Self {
        let mut times = vec![Vec::with_capacity(rounds); candidates.len()];
        for candidate in &mut candidates {
            black_box((candidate.round)());
        }
        for round in 0..rounds {
            for turn in 0..candidates.len() {
                let which = (round + turn) % candidates.len();
                times[which].push(undisturbed(&mut candidates[which].round));
            }
        }
        let rows = candidates
            .into_iter()
            .zip(times)
            .map(|(candidate, rounds)| Row { name: candidate.name, side: candidate.side, rounds })
            .collect();
        Self { title: title.to_owned(), rows }
    }

    /// The median of the best peer.
    fn best_peer(&self) -> Option<f64> {
        let peers = self.rows.iter().filter(|row| row.side == Side::Peer);
        peers.map(|row| median(&row.rounds)).min_by(f64::total_cmp)
    }

    /// The ratio of our best median to the best peer's, if both took part.
    pub fn ratio(&self) -> Option<f64> {
        let ours = self.rows.iter().filter(|row| row.side == Side::Ours);
        let best = ours.map(|row| median(&row.rounds)).min_by(f64::total_cmp)?;
        Some(best / self.best_peer()?)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(12);
        let best = self.best_peer();
        writeln!(f, "{}", self.title)?;
        writeln!(f, "  {:width$}  {:>9}  {:>9}  {:>6}", "", "median ns", "tenth ns", "ratio")?;
        for row in &self.rows {
            let (middle, tenth) = (median(&row.rounds), quantile(&row.rounds, 0.1));
            let mark = if row.side == Side::Ours { '*' } else { ' ' };
            write!(f, "{mark} {:width$}  {middle:>9.2}  {tenth:>9.2}", row.name)?;
            match best {
                Some(best) => writeln!(f, "  {:>6.2}", middle / best)?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

/// The value that half of `values` stay below. 0 if there are none.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value that the given part of `values` stays below. 0 if there are none.
pub fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or(0.0)
}

/// A measured thread was taken off its core in this round.
static DISTURBED: AtomicBool = AtomicBool::new(false);

/// How often a round is done again, if other work on this machine disturbs it.
const TRIES: usize = 200;

fn undisturbed(round: &mut dyn FnMut() -> f64) -> f64 {
    let mut result = f64::NAN;
    for _ in 0..TRIES {
        DISTURBED.store(false, SeqCst);
        result = round();
        if !DISTURBED.load(SeqCst) {
            break;
        }
    }
    result
}

/// Runs `work`, and notes if the thread was taken off its core meanwhile. Returns when it was
/// done, and what came of it.
fn watched<R>(work: impl FnOnce() -> R) -> (Instant, R) {
    let before = times_taken_off();
    let result = work();
    let end = Instant::now();
    if times_taken_off() != before {
        DISTURBED.store(true, SeqCst);
    }
    (end, result)
}

/// How often the system has taken the calling thread off its core.
#[cfg(target_os = "linux")]
fn times_taken_off() -> i64 {
    // SAFETY: plain data, of which all zeroes is a value; the call writes that local only.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_THREAD, &mut usage);
        usage.ru_nivcsw
    }
}

/// Elsewhere nobody counts.
#[cfg(not(target_os = "linux"))]
fn times_taken_off() -> i64 {
    0
}

/// Nanoseconds for each of `operations` that `work` does.
pub fn time<R>(operations: u64, work: impl FnOnce() -> R) -> f64 {
    let (end, (start, _result)) = watched(|| (Instant::now(), black_box(work())));
    (end - start).as_nanos() as f64 / operations as f64
}

/// Keeps the calling thread on one core.
///
/// # Panics
///
/// If there is no such core: what is measured would be something else.
#[cfg(target_os = "linux")]
pub fn pin(core: usize) {
    // SAFETY: a set of cores is plain data, of which all zeroes is the empty one; the calls read
    // and write that local only.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    assert_eq!(result, 0, "core {core}: {}", std::io::Error::last_os_error());
}

/// Elsewhere threads are left where they are.
#[cfg(not(target_os = "linux"))]
pub fn pin(_: usize) {}

/// Runs both at the same time, `here` on core 0 and `there` on core 1; both begin together.
/// Returns nanoseconds from then until both are done.
///
/// Each should own what it uses, and return it: then the two do not share the cache lines of a
/// stack, and what is dropped is dropped when the time has been taken.
pub fn on_two_cores<A: Send, B: Send>(
    here: impl FnOnce() -> A + Send,
    there: impl FnOnce() -> B + Send,
) -> f64 {
    let arrived = AtomicU32::new(0);
    let meet = || {
        arrived.fetch_add(1, SeqCst);
        while arrived.load(SeqCst) != 2 {
            std::hint::spin_loop();
        }
    };
    std::thread::scope(|scope| {
        // Not in the calling thread: who counts cores asks where the first thread may run.
        let here = scope.spawn(|| {
            pin(0);
            meet();
            watched(|| (Instant::now(), here()))
        });
        let there = scope.spawn(|| {
            pin(1);
            meet();
            watched(there)
        });
        let (here_end, (start, _a)) = here.join().expect("the thread of core 0 panicked");
        let (there_end, _b) = there.join().expect("the thread of core 1 panicked");
        (here_end.max(there_end) - start).as_nanos() as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[]), 0.0);
        assert_eq!(quantile(&[4.0, 3.0, 2.0, 1.0], 0.0), 1.0);
        assert_eq!(quantile(&[4.0, 3.0, 2.0, 1.0], 1.0), 4.0);
    }

    #[test]
    fn ratios_are_to_the_best_peer() {
        let table = Table::measure(
            "numbers",
            3,
            vec![
                Candidate::ours("ours", || 1.0),
                Candidate::peer("good", || 2.0),
                Candidate::peer("bad", || 4.0),
                Candidate::floor("floor", || 0.5),
            ],
        );
        assert_eq!(table.ratio(), Some(0.5));
        let text = table.to_string();
        assert!(text.contains("* ours") && text.contains("  2.00\n"), "{text}");
    }
}
