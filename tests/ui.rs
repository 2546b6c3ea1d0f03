//! What the compiler says to the likeliest mistakes of a component author: it names the mistake
//! and the cure.
#![cfg(feature = "local")]

#[test]
fn mistakes_are_named() {
    let cases = trybuild::TestCases::new();
    // With a case that passes, all are built and not just checked: an error in a const block of a
    // generic function comes up only then.
    cases.pass("tests/ui/right.rs");
    cases.compile_fail("tests/ui/wrong_*.rs");
}
