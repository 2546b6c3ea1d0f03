//! Rounds over what is made anew for each of them.

use super::pause::settle;

/// Measures over something that `make` makes for each round, behind one that nobody counts: some
/// channels are faster than others for as long as they live, by where they lie and how their ends come
/// to be in step, and what is compared with them is not to depend on which one there was.
pub(crate) fn anew<F: FnMut() -> f64>(mut make: impl FnMut() -> F) -> impl FnMut() -> f64 {
    move || {
        let mut round = make();
        round();
        settle();
        round()
    }
}
