//! The component, as it would be linked into a system, on the stand-in.

#[path = "common/component.rs"]
mod component;
#[path = "common/process.rs"]
mod process;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use component::{application, machine, manager, server, tool};

/// What a component may be linked with: functions of the interfaces, and those of the C library
/// that the compiler calls.
const INTERFACES: [&str; 39] = [
    "sched_thd_create",
    "sched_thd_param_set",
    "sched_thd_yield",
    "sched_thd_yield_to",
    "sched_thd_wakeup",
    "sched_thd_block",
    "sched_thd_block_timeout",
    "sched_thd_delete",
    "sched_thd_exit",
    "sched_get_cpu_freq",
    "sched_blkpt_alloc",
    "sched_blkpt_free",
    "sched_blkpt_trigger",
    "sched_blkpt_block",
    "memmgr_heap_page_alloc",
    "memmgr_heap_page_allocn",
    "memmgr_heap_page_allocn_aligned",
    "memmgr_shared_page_allocn",
    "memmgr_shared_page_allocn_aligned",
    "memmgr_shared_page_map",
    "memmgr_shared_page_map_aligned",
    "memmgr_map_phys_to_virt",
    "memmgr_virt_to_phys",
    "chanmgr_create",
    "chanmgr_sync_resources",
    "chanmgr_mem_resources",
    "chanmgr_delete",
    "chanmgr_evt_set",
    "chanmgr_evt_get",
    "__evt_alloc",
    "__evt_free",
    "__evt_get",
    "__evt_add",
    "__evt_rem",
    "__evt_trigger",
    "syncipc_call",
    "syncipc_reply_wait",
    "init_parallelism",
    "cos_print_str",
];
const C_LIBRARY: [&str; 5] = ["memcpy", "memmove", "memset", "memcmp", "bcmp"];

/// Of a component that serves.
const STACKS: &str = "cos_static_stack";

fn is_allowed(symbol: &str) -> bool {
    INTERFACES.contains(&symbol)
        || C_LIBRARY.contains(&symbol)
        || symbol.starts_with("__cosrt_")
        || [STACKS, "init_exit"].contains(&symbol)
}

/// How many of this word's lines there are, and the numbers behind it.
fn lines<'a>(output: &'a str, word: &str) -> Vec<&'a str> {
    output.lines().filter(|line| line.split(' ').next() == Some(word)).collect()
}

/// What it needs besides, of the symbols that it was linked without.
fn needs(object: &Path) -> Vec<String> {
    let undefined = tool(Command::new("nm").arg("-u").arg(object));
    undefined.lines().filter_map(|line| line.trim().strip_prefix("U ")).map(str::to_owned).collect()
}

#[test]
fn libraries_need_nothing_but_the_interfaces() {
    let (component, server, manager) = (needs(application()), needs(server()), needs(manager()));
    for undefined in [&component, &server, &manager] {
        assert!(
            undefined.contains(&"sched_blkpt_block".to_owned()),
            "it was linked: {undefined:?}"
        );
        let others: Vec<_> = undefined.iter().filter(|symbol| !is_allowed(symbol)).collect();
        assert!(others.is_empty(), "what else it needs: {others:?}");
    }
    let serves = |component: &Vec<String>| component.contains(&STACKS.to_owned());
    assert!(serves(&server) && serves(&manager) && !serves(&component));
    // It makes no threads, and keeps no time.
    assert!(!manager.contains(&"sched_thd_create".to_owned()), "{manager:?}");
    let asks = |component: &Vec<String>| component.contains(&"__cosrt_ucap_sinv_ask".to_owned());
    assert!(asks(&component) && asks(&server) && !asks(&manager));
}

#[test]
fn everything_passes() {
    passes(&mut Command::new(machine()));
}

/// Threads lose the processor everywhere, many times over.
#[test]
fn everything_passes_with_short_quanta() {
    for micros in ["50", "130", "700"] {
        passes(Command::new(machine()).env("STAND_IN_QUANTUM", micros));
    }
}

fn passes(machine: &mut Command) {
    let (status, output) = process::run(machine, Duration::from_secs(40));
    print!("{output}");
    assert_eq!(status, Some(0), "the machine came to its end");
    assert_eq!(lines(&output, "FAIL"), [""; 0]);
    let passed = lines(&output, "PASS").len();
    assert!(passed >= 202, "{passed} scenarios, and cases of the conformance suite");
    // Cases that die, or need more stack than there is: no others.
    let skipped = lines(&output, "SKIPPED").len();
    assert_eq!(skipped, 10, "cases");
    let counts = format!("COUNTS passed {passed} failed 0 skipped {skipped}");
    assert_eq!(lines(&output, "COUNTS"), [counts]);
    assert_eq!(lines(&output, "END"), ["END 0"]);
}

/// Stacks have 8 KiB, and nothing behind them: a quarter has to stay free. Of that of the first thread
/// an eighth: it runs the conformance suite, whose cases are not written for small stacks.
#[test]
fn stacks_suffice() {
    let (_, output) = process::run(&mut Command::new(machine()), Duration::from_secs(40));
    let used: Vec<u32> = lines(&output, "STACK")
        .iter()
        .filter_map(|line| line.split(' ').nth(4)?.parse().ok())
        .collect();
    // The first one, and 22 that it made.
    assert_eq!(used.len(), 23, "{output}");
    let most = |thread| if thread == 0 { 7 * 1024 } else { 6 * 1024 };
    let suffices = |(thread, bytes): (usize, &u32)| (1..=most(thread)).contains(bytes);
    assert!(used.iter().enumerate().all(suffices), "{used:?}");
    let served = lines(&output, "SERVED");
    let served: Vec<u32> =
        served.iter().filter_map(|line| line.split(' ').nth(4)?.parse().ok()).collect();
    // The other three components.
    assert_eq!(served.len(), 3, "{output}");
    assert!(served.iter().all(|bytes| (1..=6 * 1024).contains(bytes)), "{served:?}");
}
