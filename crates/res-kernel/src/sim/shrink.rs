//! From a run that fails to one that fails with as few disturbances as can be found.
//!
//! A run in which nothing is decided against the obvious (who runs goes on, no store becomes
//! visible before it has to) is easy to read. So the decisions of the failing run are taken back,
//! many at a time and then one by one, as long as the run still fails in the same way.

use std::boxed::Box;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::vec::Vec;

use super::outcome::{Failure, Outcome};
use super::schedule::{Move, Scheduler, Turn};
use super::{Sim, Simulation};

/// What a scheduler said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Move(Move),
    Pick(usize),
    Chance,
}

/// Answers that are not the obvious ones, by the number of the question.
type Answers = BTreeMap<u64, Answer>;

/// The obvious move.
fn obvious(turn: &Turn<'_>) -> Move {
    let other = || turn.runnable.iter().find(|one| Some(one.thread) != turn.current);
    let next = turn.undisturbed().or_else(|| other().map(|one| one.thread));
    Move::Run(next.unwrap_or(turn.runnable[0].thread))
}

fn possible(chosen: Move, turn: &Turn<'_>) -> bool {
    match chosen {
        Move::Run(thread) => turn.runnable.iter().any(|one| one.thread == thread),
        Move::Flush(thread) => turn.buffered.contains(&thread),
    }
}

/// Asks another scheduler, and writes down what is not obvious.
#[derive(Debug)]
struct Recorder {
    inner: Box<dyn Scheduler>,
    asked: u64,
    answers: Rc<RefCell<Answers>>,
}

impl Recorder {
    fn write_down(&mut self, answer: Option<Answer>) {
        if let Some(answer) = answer {
            self.answers.borrow_mut().insert(self.asked, answer);
        }
        self.asked += 1;
    }
}

impl Scheduler for Recorder {
    fn choose(&mut self, turn: &Turn<'_>) -> Move {
        let chosen = self.inner.choose(turn);
        self.write_down((chosen != obvious(turn)).then_some(Answer::Move(chosen)));
        chosen
    }

    fn pick(&mut self, options: usize) -> usize {
        let picked = self.inner.pick(options);
        self.write_down((picked != 0).then_some(Answer::Pick(picked)));
        picked
    }

    fn chance(&mut self, one_in: u32) -> bool {
        let happens = self.inner.chance(one_in);
        self.write_down(happens.then_some(Answer::Chance));
        happens
    }
}

/// Gives the answers that were written down, where they are possible; else the obvious ones.
#[derive(Debug)]
struct Replay {
    asked: u64,
    answers: Answers,
}

impl Replay {
    fn next(&mut self) -> Option<Answer> {
        let answer = self.answers.get(&self.asked).copied();
        self.asked += 1;
        answer
    }
}

impl Scheduler for Replay {
    fn choose(&mut self, turn: &Turn<'_>) -> Move {
        match self.next() {
            Some(Answer::Move(chosen)) if possible(chosen, turn) => chosen,
            _ => obvious(turn),
        }
    }

    fn pick(&mut self, options: usize) -> usize {
        match self.next() {
            Some(Answer::Pick(picked)) if picked < options => picked,
            _ => 0,
        }
    }

    fn chance(&mut self, _one_in: u32) -> bool {
        self.next() == Some(Answer::Chance)
    }
}

/// Who waits may differ, and the values in the message of a panic, behind its first line.
fn same_kind(one: &Option<Failure>, other: &Option<Failure>) -> bool {
    match (one, other) {
        (Some(Failure::Deadlock(_)), Some(Failure::Deadlock(_))) => true,
        (
            Some(Failure::Panicked { thread: one, message: said }),
            Some(Failure::Panicked { thread: other, message: says }),
        ) => one == other && said.lines().next() == says.lines().next(),
        (one, other) => one == other,
    }
}

/// Makes the failing run smaller.
pub(super) struct Shrink<'a, B> {
    settings: &'a dyn Fn() -> Simulation,
    body: B,
    failure: Option<Failure>,
    /// A run that gets longer than this is not a smaller one.
    longest: u64,
    /// Steps that may still be spent.
    left: u64,
}

impl<'a, B: Fn(Sim) + Clone + 'static> Shrink<'a, B> {
    /// The smallest failing run that is found with `steps` steps, recorded.
    pub(super) fn run(
        settings: &'a dyn Fn() -> Simulation,
        body: B,
        failed: &Outcome,
        steps: u64,
    ) -> Outcome {
        let answers = Rc::new(RefCell::new(Answers::new()));
        let recorder = |inner| Recorder { inner, asked: 0, answers: Rc::clone(&answers) };
        let _ = settings().wrap(recorder).run(body.clone());
        let (failure, longest) = (failed.failure.clone(), 2 * failed.steps + 1_000);
        let mut shrink = Self { settings, body, failure, longest, left: steps };
        let smallest = shrink.minimise(answers.take());
        (settings)().scheduler(Replay { asked: 0, answers: smallest }).record().run(shrink.body)
    }

    fn still_fails(&mut self, answers: &Answers) -> bool {
        let replay = Replay { asked: 0, answers: answers.clone() };
        let simulation = (self.settings)().scheduler(replay).steps(self.longest);
        let outcome = simulation.run(self.body.clone());
        self.left = self.left.saturating_sub(outcome.steps.max(100));
        same_kind(&outcome.failure, &self.failure)
    }

    /// Takes answers back, half of them at a time, then a quarter, and so on.
    fn minimise(&mut self, mut answers: Answers) -> Answers {
        let mut size = answers.len();
        while size > 0 && self.left > 0 {
            let smaller = self.pass(answers.clone(), size);
            // Once more with single ones, as long as that helps.
            if size > 1 || smaller.len() == answers.len() {
                size /= 2;
            }
            answers = smaller;
        }
        answers
    }

    fn pass(&mut self, mut answers: Answers, size: usize) -> Answers {
        let questions: Vec<_> = answers.keys().copied().collect();
        // From the end: what comes later depends on what came before.
        for some in questions.rchunks(size) {
            if self.left == 0 {
                break;
            }
            let mut without = answers.clone();
            without.retain(|question, _| !some.contains(question));
            if self.still_fails(&without) {
                answers = without;
            }
        }
        answers
    }
}
