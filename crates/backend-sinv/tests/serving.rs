//! Who serves components that come one after the other. (By itself: it looks at all threads here.)

use std::collections::BTreeSet;

use backend_sinv::Sinv;
use res_api::{Backend, Deadline, Env, Fault, Name};

fn nothing(_: Env<Sinv>) {}

/// The threads of this process.
fn threads() -> BTreeSet<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("there is /proc");
    tasks.filter_map(|task| task.ok()?.file_name().into_string().ok()).collect()
}

/// It rests before anybody is told that the one before has ended.
#[test]
fn one_thread_serves_one_after_the_other() -> Result<(), Fault> {
    let system = Sinv::new()?;
    let before = threads();
    for _ in 0..300 {
        let component = system.component(const { Name::new("nothing") }, nothing)?;
        component.start()?;
        assert_eq!(threads(), before);
        component.wait(Deadline::NEVER)?.ok()?;
    }
    Ok(())
}
