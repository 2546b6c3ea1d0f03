//! The throughput of table P1 once more, in criterion: for its statistics, and to compare with an
//! earlier run of one's own. It measures one ring after the other, so ratios are better read off
//! `ring`.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput as Unit, criterion_group, criterion_main};
use res_benches::rings::{Item, Messages, Ring, Rtrb, Standalone, Throughput};

const ITEMS: u64 = 100_000;

fn throughput(c: &mut Criterion) {
    for capacity in [64, 1024] {
        group::<u64>(c, "u64", capacity);
        group::<[u64; 8]>(c, "64 bytes", capacity);
    }
}

fn group<T: Item>(c: &mut Criterion, what: &str, capacity: u32) {
    let mut group = c.benchmark_group(format!("two cores, {what}"));
    group.throughput(Unit::Elements(ITEMS));
    let id = |name| BenchmarkId::new(name, capacity);
    group.bench_function(id(<Standalone as Ring<T>>::NAME), |b| {
        b.iter_custom(|times| rounds::<T, Standalone>(capacity, times));
    });
    group.bench_function(id(<Messages as Ring<T>>::NAME), |b| {
        b.iter_custom(|times| rounds::<T, Messages>(capacity, times));
    });
    group.bench_function(id(<Rtrb as Ring<T>>::NAME), |b| {
        b.iter_custom(|times| rounds::<T, Rtrb>(capacity, times));
    });
    group.finish();
}

/// So many rounds, each on a new ring; how long they took without making it.
fn rounds<T: Item, R: Ring<T>>(capacity: u32, times: u64) -> Duration {
    let round = || R::with(capacity, Throughput(ITEMS)) * ITEMS as f64;
    let nanos: f64 = (0..times).map(|_| round()).sum();
    Duration::from_nanos(nanos as u64)
}

criterion_group!(benches, throughput);
criterion_main!(benches);
