//! Every order, depth first.

use std::cell::RefCell;
use std::rc::Rc;
use std::vec::Vec;

use super::{Move, Scheduler, Turn};

/// The choices of a run: which was taken, of how many.
#[derive(Debug, Default)]
pub(in crate::sim) struct Path {
    taken: Vec<(usize, usize)>,
    /// How many of them have been followed in this run.
    at: usize,
    /// Whether a choice was not the one that it was before.
    strayed: bool,
}

impl Path {
    /// The choice here: what the path says, or the first of `options` beyond its end.
    fn follow(&mut self, options: usize) -> usize {
        if self.at == self.taken.len() {
            self.taken.push((0, options));
        }
        let (taken, of) = self.taken[self.at];
        self.at += 1;
        self.strayed |= of != options;
        taken.min(options - 1)
    }

    /// Whether the program did something else than before with the same choices.
    pub(in crate::sim) fn strayed(&self) -> bool {
        self.strayed || self.at < self.taken.len()
    }

    /// Turns to the next path; false where this was the last.
    pub(in crate::sim) fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some((taken, of)) = self.taken.pop() {
            if taken + 1 < of {
                self.taken.push((taken + 1, of));
                return true;
            }
        }
        false
    }
}

/// Follows a path. Costs nothing: letting a thread run on, and any choice where it cannot. All else
/// (a preemption, a store that becomes visible before it has to) takes one off what is left.
#[derive(Debug)]
pub(in crate::sim) struct Exhaustive {
    path: Rc<RefCell<Path>>,
    left: u32,
    moves: Vec<(Move, u32)>,
}

impl Exhaustive {
    pub(in crate::sim) fn new(path: Rc<RefCell<Path>>, bound: u32) -> Self {
        Self { path, left: bound, moves: Vec::new() }
    }

    /// All moves with their costs, the cheapest first.
    fn list(&mut self, turn: &Turn<'_>) {
        self.moves.clear();
        let undisturbed = turn.undisturbed();
        self.moves.extend(undisturbed.map(|thread| (Move::Run(thread), 0)));
        let cost = undisturbed.is_some().into();
        // Who yields goes on only where nobody else can.
        let alone = turn.runnable.len() == 1;
        let others = turn.runnable.iter().map(|one| one.thread);
        let others =
            others.filter(|one| turn.current != Some(*one) || undisturbed.is_none() && alone);
        self.moves.extend(others.map(|thread| (Move::Run(thread), cost)));
        self.moves.extend(turn.buffered.iter().map(|thread| (Move::Flush(*thread), 1)));
        self.moves.retain(|(_, cost)| *cost <= self.left);
    }
}

impl Scheduler for Exhaustive {
    fn choose(&mut self, turn: &Turn<'_>) -> Move {
        self.list(turn);
        let index = self.pick(self.moves.len());
        let (chosen, cost) = self.moves[index];
        self.left -= cost;
        chosen
    }

    fn pick(&mut self, options: usize) -> usize {
        if options == 1 { 0 } else { self.path.borrow_mut().follow(options) }
    }

    /// What is rare is left to the random schedulers.
    fn chance(&mut self, _one_in: u32) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_taken_once() {
        let mut path = Path::default();
        let mut seen = Vec::new();
        loop {
            let first = path.follow(2);
            seen.push((first, if first == 0 { path.follow(3) } else { 9 }));
            if !path.advance() {
                break;
            }
        }
        assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 9)]);
    }
}
