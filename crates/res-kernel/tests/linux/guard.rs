//! Panics, caught.

use std::panic::panic_any;
use std::sync::mpsc::channel;

use res_kernel::{Kernel, Linux, Panicked};
use res_sync::Park;

const MACHINE: Linux = Linux::new();

#[test]
fn a_body_that_ends_is_run_once() {
    let mut runs = 0;
    assert_eq!(MACHINE.guard(&mut || runs += 1), Ok(()));
    assert_eq!(runs, 1);
}

#[test]
fn a_panic_is_reported() {
    assert_eq!(MACHINE.guard(&mut || panic!("on purpose")), Err(Panicked));
}

#[test]
fn so_is_a_panic_that_carries_another() {
    struct Carried;
    impl Drop for Carried {
        fn drop(&mut self) {
            panic!("on purpose, while it is dropped");
        }
    }
    assert_eq!(MACHINE.guard(&mut || panic_any(Carried)), Err(Panicked));
}

#[test]
fn unwinding_is_seen_from_destructors() {
    struct Witness(std::sync::mpsc::Sender<bool>);
    impl Drop for Witness {
        fn drop(&mut self) {
            self.0.send(MACHINE.unwinding()).expect("the test listens");
        }
    }
    let (told, seen) = channel();
    drop(Witness(told.clone()));
    assert_eq!(seen.recv(), Ok(false));
    let panicking = MACHINE.guard(&mut || {
        let _witness = Witness(told.clone());
        panic!("on purpose");
    });
    assert_eq!((panicking, seen.recv()), (Err(Panicked), Ok(true)));
    assert!(!MACHINE.unwinding());
}
