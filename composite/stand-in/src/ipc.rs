//! Synchronous ipc: one end point, at which clients lend their turn to the server.

use std::sync::{Mutex, MutexGuard};

use crate::halt::halt;
use crate::world::{self, LEAST_URGENT, ThreadId, me};

/// Two words.
pub(crate) type Words = [u64; 2];

struct EndPoint {
    /// For ever: the first thread that waited.
    server: Option<ThreadId>,
    /// Who is being served, and what it asks.
    client: Option<(ThreadId, Words)>,
    /// The client has given up; there the answer would go to a stack that it has left.
    gone: bool,
    /// The last one, and whose it is.
    answer: Option<(ThreadId, Words)>,
}

static END_POINT: Mutex<EndPoint> =
    Mutex::new(EndPoint { server: None, client: None, gone: false, answer: None });

fn end_point() -> MutexGuard<'static, EndPoint> {
    END_POINT.lock().expect("nobody panics with it")
}

/// Why there is no answer.
pub(crate) enum Failed {
    /// Nobody has ever waited for a call.
    NoServer,
    /// The server sleeps.
    Asleep,
    /// Another thread is the server.
    Taken,
}

/// Asks, and runs the server until it has answered.
pub(crate) fn call(question: Words) -> Result<Words, Failed> {
    let server = end_point().server.ok_or(Failed::NoServer)?;
    loop {
        end_point().client.get_or_insert((me(), question));
        let switched = world::switch_to(server);
        let mut end_point = end_point();
        if !switched {
            end_point.gone |= end_point.client.is_some_and(|(client, _)| client == me());
            return Err(Failed::Asleep);
        }
        if let Some((_, answer)) = end_point.answer.take_if(|(client, _)| *client == me()) {
            return Ok(answer);
        }
    }
}

/// Answers the client, and lets it go on; or becomes the server, which is the least urgent thread
/// from then on.
pub(crate) fn reply(answer: Words) -> Result<(), Failed> {
    let mut end_point = end_point();
    match end_point.server {
        None => {
            end_point.server = Some(me());
            world::world().set_priority(me(), LEAST_URGENT);
            return Ok(());
        }
        Some(server) if server != me() => return Err(Failed::Taken),
        Some(_) => {}
    }
    if end_point.gone {
        halt("an answer is written to a stack that its caller has left");
    }
    let Some((client, _)) = end_point.client.take() else { return Ok(()) };
    end_point.answer = Some((client, answer));
    drop(end_point);
    world::switch_to(client);
    Ok(())
}

/// What somebody asks, if there is somebody.
pub(crate) fn question() -> Option<Words> {
    end_point().client.map(|(_, question)| question)
}
