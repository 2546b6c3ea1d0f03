//! Interfaces: what is declared on a trait is what travels.

mod common;

use std::time::Duration;

use chan_impls::call::{self, Interface};
use chan_impls::{Answers, CallError, Callee, Caller, interface};
use common::{Fresh, Outcome, aside, late, nap, on_both};
use res_api::{AnyCap, Backend, Deadline, Env, Exit, Gone, IntoCap, Name, Slot, Tag, message};

#[message("pair", version = 1)]
#[derive(Debug, PartialEq)]
struct Pair {
    left: u64,
    right: u64,
}

#[message("marked", version = 1)]
#[derive(Debug, PartialEq)]
struct Marked {
    bytes: [u8; 3],
    flag: bool,
}

/// One of each size that matters.
#[interface("sizes", version = 1)]
trait Sizes {
    /// Nothing at all.
    fn nothing(&mut self);
    fn count(&mut self) -> u64;
    /// As much as fits into the words.
    fn words(&mut self, a: u64, b: Pair, c: u32, d: u32) -> [u64; 3];
    /// A byte more, both ways.
    fn more(&mut self, a: u64, b: Pair, c: [u8; 9]) -> [u8; 25];
    /// Many, of odd sizes.
    #[allow(clippy::too_many_arguments, reason = "it is what is tested")]
    fn many(&mut self, a: u8, b: u16, c: [u8; 3], d: u32, e: u64, f: bool, g: i8, h: u8) -> u64;
    /// Pages.
    fn pages(&mut self, page: [u8; 10_000], add: u8) -> [u8; 9000];
    /// Not every bit pattern is a value.
    fn invert(&mut self, marked: Marked) -> bool;
    fn slow(&mut self, millis: u64) -> u64;
}

struct Server(u64);

impl Sizes for Server {
    fn nothing(&mut self) {
        self.0 += 1;
    }

    fn count(&mut self) -> u64 {
        self.0
    }

    fn words(&mut self, a: u64, b: Pair, c: u32, d: u32) -> [u64; 3] {
        [a + b.left, b.right, u64::from(c) << 32 | u64::from(d)]
    }

    fn more(&mut self, a: u64, b: Pair, c: [u8; 9]) -> [u8; 25] {
        let sum = (a + b.left + b.right) as u8;
        std::array::from_fn(|at| c.get(at).map_or(at as u8, |byte| byte + sum))
    }

    fn many(&mut self, a: u8, b: u16, c: [u8; 3], d: u32, e: u64, f: bool, g: i8, h: u8) -> u64 {
        let signed = if f { i64::from(g) } else { 0 };
        let sum = u64::from(a) + u64::from(b) + u64::from(c[2]) + u64::from(d) + e + u64::from(h);
        sum.wrapping_add_signed(signed)
    }

    fn pages(&mut self, page: [u8; 10_000], add: u8) -> [u8; 9000] {
        std::array::from_fn(|at| page[9999 - at].wrapping_add(add))
    }

    fn invert(&mut self, marked: Marked) -> bool {
        !marked.flag
    }

    fn slow(&mut self, millis: u64) -> u64 {
        std::thread::sleep(Duration::from_millis(millis));
        millis
    }
}

const CLIENT: Slot<Answers<dyn Sizes>> = Slot::new("client");

fn server<B: Backend>(env: Env<B>) -> Outcome {
    let mut client = env.take(CLIENT)?;
    client.serve_with(&mut Server(0));
    Ok(())
}

fn started<B: Backend>(b: &B) -> (SizesClient<B>, res_api::Comp<B>) {
    let (caller, callee) = call::pair(b).expect("a connection");
    let component = b.component(const { Name::new("server") }, server::<B>).expect("a component");
    component.endow(CLIENT, callee).expect("endowed");
    component.start().expect("started");
    let mut client = SizesClient::from(caller);
    client.set_deadline(late(b));
    (client, component)
}

fn every_size_travels<B: Fresh>() {
    let b = B::fresh();
    let (mut sizes, component) = started(&b);
    assert_eq!(sizes.nothing(), Ok(()));
    assert_eq!(sizes.count(), Ok(1));
    let pair = Pair { left: 2, right: 3 };
    assert_eq!(sizes.words(1, pair, 4, 5), Ok([3, 3, 4 << 32 | 5]));
    let mut more: [u8; 25] = std::array::from_fn(|at| at as u8);
    more[..9].fill(7 + 6);
    assert_eq!(sizes.more(1, pair, [7; 9]), Ok(more));
    assert_eq!(sizes.many(1, 2, [0, 0, 3], 4, 5, true, -6, 7), Ok(16));
    assert_eq!(sizes.many(1, 2, [0, 0, 3], 4, 5, false, -6, 7), Ok(22));
    let page: [u8; 10_000] = std::array::from_fn(|at| (at % 253) as u8);
    let back: [u8; 9000] = std::array::from_fn(|at| page[9999 - at].wrapping_add(9));
    assert!(sizes.pages(page, 9) == Ok(back));
    assert_eq!(sizes.invert(Marked { bytes: [9; 3], flag: true }), Ok(false));
    drop(sizes);
    assert_eq!(component.wait(late(&b)), Ok(Exit::Success));
}

fn deadlines<B: Fresh>() {
    let b = B::fresh();
    let (mut sizes, _component) = started(&b);
    sizes.nothing().expect("it answers");
    sizes.set_timeout(Duration::from_millis(20));
    assert_eq!(sizes.slow(300), Err(CallError::TimedOut));
    sizes.set_timeout(Duration::from_secs(20));
    assert_eq!(sizes.slow(1), Ok(1));
    sizes.set_deadline(Deadline::PASSED);
    assert_eq!(sizes.slow(30), Err(CallError::TimedOut));
    sizes.set_deadline(Deadline::NEVER);
    assert_eq!(sizes.count(), Ok(1));
}

/// Says of itself that it is `Sizes`, and is not bound by the types.
struct Forged;

impl Interface for Forged {
    const TAG: Tag = <dyn Sizes as Interface>::TAG;
    const PAYLOAD: u64 = <dyn Sizes as Interface>::PAYLOAD;
}

fn an_invalid_argument_ends_that_connection<B: Fresh>() {
    let b = B::fresh();
    const INVERT: u32 = 6;
    for (entry, words) in [(INVERT, u64::from_ne_bytes([1, 1, 1, 2, 0, 0, 0, 0])), (8, 0)] {
        let (mut other, _component) = started(&b);
        let (caller, mut callee) = call::pair::<_, dyn Sizes>(&b).expect("a connection");
        let server = aside(&b, move || {
            assert_eq!(callee.serve_with(&mut Server(0)), Gone::Misbehaved);
        });
        let forged = caller.into_cap().cast::<Caller<B, Forged>>();
        let mut forged = forged.expect("so it says");
        let fine = u64::from_ne_bytes([1, 1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(forged.call(INVERT, [fine, 0, 0, 0], late(&b)), Ok([0; 3]));
        let closed = Err(CallError::Gone(Gone::Closed));
        assert_eq!(forged.call(entry, [words, 0, 0, 0], late(&b)), closed);
        assert_eq!(forged.call(INVERT, [fine, 0, 0, 0], late(&b)), closed);
        assert_eq!(res_api::Thread::join(&server, late(&b)), Ok(Exit::Success));
        other.nothing().expect("it is served");
    }
}

fn an_invalid_result_ends_that_connection<B: Fresh>() {
    let b = B::fresh();
    let (caller, callee) = call::pair::<_, dyn Sizes>(&b).expect("a connection");
    let forged = callee.into_cap().cast::<Callee<B, Forged>>();
    let mut forged = forged.expect("so it says");
    let server = aside(&b, move || {
        assert_eq!(forged.serve(|request| request.reply([2, 0, 0])), Gone::Closed);
    });
    let mut sizes = SizesClient::from(caller);
    sizes.set_timeout(Duration::from_secs(20));
    assert_eq!(sizes.count(), Ok(2));
    let misbehaved = CallError::Gone(Gone::Misbehaved);
    let marked = Marked { bytes: [0; 3], flag: false };
    assert_eq!(sizes.invert(marked), Err(misbehaved));
    assert_eq!(sizes.count(), Err(misbehaved));
    assert_eq!(sizes.more(1, Pair { left: 0, right: 0 }, [0; 9]), Err(misbehaved));
    drop(sizes);
    assert_eq!(res_api::Thread::join(&server, late(&b)), Ok(Exit::Success));
    nap(&b, 1);
}

on_both! {
    every_size_travels deadlines an_invalid_argument_ends_that_connection
    an_invalid_result_ends_that_connection
}

mod alike {
    macro_rules! alike {
        ($($name:ident($declared:literal, $version:literal) { $($methods:tt)* })*) => { $(
            #[chan_impls::interface($declared, version = $version)]
            pub(super) trait $name {
                $($methods)*
            }
        )* };
    }

    alike! {
        Same("alike", 1) { fn a(&mut self, x: u32) -> u64; fn b(&mut self); }
        Again("alike", 1) { fn a(&mut self, y: u32) -> u64; fn b(&mut self) -> (); }
        Named("other", 1) { fn a(&mut self, x: u32) -> u64; fn b(&mut self); }
        Later("alike", 2) { fn a(&mut self, x: u32) -> u64; fn b(&mut self); }
        Renamed("alike", 1) { fn a(&mut self, x: u32) -> u64; fn c(&mut self); }
        Swapped("alike", 1) { fn b(&mut self); fn a(&mut self, x: u32) -> u64; }
        Signed("alike", 1) { fn a(&mut self, x: i32) -> u64; fn b(&mut self); }
        Returns("alike", 1) { fn a(&mut self, x: u32) -> i64; fn b(&mut self); }
        Longer("alike", 1) { fn a(&mut self, x: u32) -> u64; fn b(&mut self); fn c(&mut self); }
        Takes("alike", 1) { fn a(&mut self) -> u64; fn b(&mut self, x: u32); }
    }
}

#[test]
fn interfaces_differ_by_all_that_is_declared() {
    use alike::*;
    let tags = [
        <dyn Same as Interface>::TAG,
        <dyn Named as Interface>::TAG,
        <dyn Later as Interface>::TAG,
        <dyn Renamed as Interface>::TAG,
        <dyn Swapped as Interface>::TAG,
        <dyn Signed as Interface>::TAG,
        <dyn Returns as Interface>::TAG,
        <dyn Longer as Interface>::TAG,
        <dyn Takes as Interface>::TAG,
    ];
    for (at, tag) in tags.iter().enumerate() {
        assert!(!tags[..at].contains(tag), "{at}");
    }
    // Names of arguments, and `()` spelled out, make no difference.
    assert_eq!(tags[0], <dyn Again as Interface>::TAG);
}

#[test]
fn the_payload_is_what_the_largest_needs() {
    #[interface("words", version = 1)]
    trait Words {
        fn most(&mut self, a: [u64; 4]) -> [u64; 3];
    }
    #[interface("argument", version = 1)]
    trait Argument {
        fn one(&mut self, a: [u8; 33]) -> [u8; 24];
    }
    #[interface("result", version = 1)]
    trait Results {
        fn one(&mut self, a: [u8; 32]) -> [u8; 25];
    }
    let needs = [
        <dyn Words as Interface>::PAYLOAD,
        <dyn Argument as Interface>::PAYLOAD,
        <dyn Results as Interface>::PAYLOAD,
        <dyn Sizes as Interface>::PAYLOAD,
    ];
    assert_eq!(needs, [0, 33, 25, 10_001]);
    assert_eq!(call::bytes::<dyn Words>(0), Some(256));
    assert_eq!(call::bytes::<dyn Argument>(0), Some(2 * 4096));
}
