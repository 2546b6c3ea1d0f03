//! Statements about the other managers.

#[path = "common/process.rs"]
mod process;
#[path = "common/statement.rs"]
mod statement;

use std::ffi::c_void;
use std::ptr::null_mut;

use composite_stand_in::interface::capmgr::{
    capmgr_asnd_rcv_create, capmgr_shared_kernel_page_create, capmgr_thd_create,
};
use composite_stand_in::interface::init::{init_exit, init_parallelism};
use composite_stand_in::interface::memmgr::{
    memmgr_heap_page_alloc, memmgr_heap_page_allocn, memmgr_heap_page_allocn_aligned,
    memmgr_shared_page_allocn, memmgr_shared_page_allocn_aligned, memmgr_shared_page_map,
    memmgr_shared_page_map_aligned,
};
use composite_stand_in::interface::print::cos_print_str;
use composite_stand_in::interface::sched::{
    sched_thd_create, sched_thd_param_set, sched_thd_wakeup,
};
use composite_stand_in::{FAILED, FIRST, HALTED};

use statement::{so, statement};

statement! {
    pages_are_whole_and_in_a_row {
        // SAFETY: pages are asked for, and those that are got are written to.
        unsafe {
            let (one, many) = (memmgr_heap_page_alloc(), memmgr_heap_page_allocn(3));
            so!(one != 0 && many != 0);
            so!(one.is_multiple_of(4096) && many.is_multiple_of(4096));
            (one as *mut u8).write_bytes(1, 4096);
            (many as *mut u8).write_bytes(2, 3 * 4096);
            so!((one as *const u8).add(4095).read() == 1);
            so!((many as *const u8).read() == 2);
        }
    }
}

statement! {
    pages_begin_where_they_are_to {
        const ALIGN: u64 = 1 << 21;
        let mut at = 0;
        // SAFETY: pages are asked for, and `at` is ours.
        unsafe {
            so!(memmgr_heap_page_allocn_aligned(2, ALIGN).is_multiple_of(ALIGN));
            let buffer = memmgr_shared_page_allocn_aligned(2, ALIGN, &raw mut at);
            so!(at.is_multiple_of(ALIGN));
            so!(memmgr_shared_page_map_aligned(buffer, ALIGN, &raw mut at) == 2);
            so!(at.is_multiple_of(ALIGN));
        }
    }
}

statement! {
    asked_for_no_page_it_gives_one {
        let mut at = 0;
        // SAFETY: `at` is ours, and so is the page.
        unsafe {
            (memmgr_heap_page_allocn(0) as *mut u8).write_bytes(1, 4096);
            let buffer = memmgr_shared_page_allocn(0, &raw mut at);
            (at as *mut u8).write_bytes(1, 4096);
            // A buffer that says that it has none.
            so!(memmgr_shared_page_map(buffer, &raw mut at) == 0);
        }
    }
}

statement! {
    shared_pages_are_found_by_their_name {
        let (mut here, mut there) = (0, 0);
        // SAFETY: both places are ours.
        unsafe {
            let buffer = memmgr_shared_page_allocn(2, &raw mut here);
            so!(buffer > 0 && here.is_multiple_of(4096));
            so!(memmgr_shared_page_map(buffer, &raw mut there) == 2);
            so!(here != there);
            (here as *mut u8).add(4096).write(7);
            so!((there as *const u8).add(4096).read() == 7);
            so!(memmgr_shared_page_map(99, &raw mut there) == 0);
            so!(there == 0);
        }
    }
}

/// Maps a buffer of one page so many times more.
fn map_again(times: u32) -> bool {
    let mut at = 0;
    // SAFETY: `at` is ours.
    unsafe {
        let buffer = memmgr_shared_page_allocn(1, &raw mut at);
        (0..times).all(|_| memmgr_shared_page_map(buffer, &raw mut at) == 1)
    }
}

statement! {
    shared_pages_have_five_mappings {
        so!(map_again(4));
    }
}

statement! {
    mapping_too_many_halts ends HALTED, "HALT assertion: one mapping more", {
        map_again(5);
        0
    }
}

statement! {
    /// The real one does not halt: it spins, and so does whoever asks it.
    mapping_what_is_not_there_is_the_last ends HALTED, "HALT the memory manager waits for a lock", {
        let mut at = 0;
        // SAFETY: `at` is ours; the machine halts here.
        unsafe { memmgr_shared_page_map(1, &raw mut at) };
        map_again(1);
        0
    }
}

statement! {
    /// It has an id, and a capability of the component; it cannot be put into a queue.
    scheduler_does_not_know_threads_of_the_capability_manager {
        unsafe extern "C" fn never(_: *mut c_void) -> i64 {
            0
        }
        let mut id = 0;
        // SAFETY: `id` is ours; the thread never runs.
        unsafe {
            so!(capmgr_thd_create(never, null_mut(), &raw mut id) != 0);
            so!(id == u64::from(FIRST) + 1);
            so!(sched_thd_param_set(id, 1 | 5 << 6) == -1);
            so!(sched_thd_wakeup(id) == -1);
            // It counts as one of the system.
            so!(sched_thd_create(never, null_mut()) == id + 1);
        }
    }
}

statement! {
    capability_manager_makes_no_send_ends ends HALTED, "HALT assertion: the capability manager", {
        // SAFETY: the machine halts here.
        unsafe { capmgr_asnd_rcv_create(1) };
        0
    }
}

statement! {
    page_of_the_kernel_is_mapped {
        let mut resource = 0;
        // SAFETY: `resource` is ours, and so is the page.
        unsafe {
            let page = capmgr_shared_kernel_page_create(&raw mut resource);
            so!(page.is_multiple_of(4096) && resource != 0);
            (page as *mut u8).write_bytes(1, 4096);
        }
    }
}

statement! {
    one_core {
        // SAFETY: asks only.
        so!(unsafe { init_parallelism() } == 1);
    }
}

statement! {
    component_exits ends FAILED, "END 3", {
        // SAFETY: the end of the machine.
        unsafe { init_exit(3) };
        0
    }
}

statement! {
    library_prints ends 0, "some text\nSTACK", {
        let text = b"some text\n and eleven more";
        // SAFETY: more bytes are there than are said to be.
        so!(unsafe { cos_print_str(text.as_ptr().cast(), 10) } == 10);
        0
    }
}
