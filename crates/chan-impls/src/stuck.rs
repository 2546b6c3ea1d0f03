//! Whether an end finds nothing again and again (H12).

/// Where an end was when it last found nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stuck {
    at: u64,
    again: bool,
}

impl Stuck {
    /// It has found nothing, having come so far: which is told where it was there the last two times,
    /// too.
    pub(crate) fn at(&mut self, at: u64) -> Option<u64> {
        let still = core::mem::replace(&mut self.at, at) == at;
        let again = core::mem::replace(&mut self.again, still);
        (still && again).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_found_something_since_is_not_stuck() {
        let mut stuck = Stuck::default();
        let found = [7, 7, 7, 7, 8, 8, 9, 9, 9].map(|at| stuck.at(at));
        let stuck = |at| Some(at);
        let none = None;
        assert_eq!(found, [none, none, stuck(7), stuck(7), none, none, none, none, stuck(9)]);
    }
}
