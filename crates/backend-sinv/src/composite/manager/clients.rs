//! Components: who is one, and what becomes of what it had.

use res_api::{ErrorKind, Gone};
use res_kernel::composite::interface::memmgr::BufferId;

use super::{CLIENTS, Open, Page, Result, State};
use crate::ends::ComponentId;

/// What the composer calls a component; 0 is none.
pub(super) type Token = u64;

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It has not attached, or has ended.
    Away,
    /// It is about to, and gets a page.
    Coming,
    Attached,
}

#[derive(Clone, Copy)]
struct Client {
    token: Token,
    stage: Stage,
    /// Its page, which it keeps for ever.
    page: Option<(Page, BufferId)>,
}

/// The components that have ever come, by their numbers.
pub(super) struct Clients([Client; CLIENTS]);

impl Clients {
    pub(super) const fn new() -> Self {
        Self([Client { token: 0, stage: Stage::Away, page: None }; CLIENTS])
    }

    fn find(&self, token: Token) -> Option<usize> {
        self.0.iter().position(|client| client.token == token)
    }

    /// The number of a component, and its page.
    pub(super) fn attached(&self, token: Token) -> Result<(ComponentId, Page)> {
        let index = self.find(token).ok_or(ErrorKind::Stale)?;
        match self.0[index] {
            Client { stage: Stage::Attached, page: Some((page, _)), .. } => {
                Ok((index as ComponentId, page))
            }
            _ => Err(ErrorKind::Stale),
        }
    }

    /// Its page, if it is there.
    pub(super) fn page(&self, who: ComponentId) -> Option<Page> {
        self.0.get(who as usize)?.page.map(|(page, _)| page)
    }

    /// It comes: its number, and the page if it has one.
    fn begin(&mut self, token: Token) -> Result<(usize, Option<BufferId>)> {
        let index = self.find(token).or_else(|| self.find(0)).ok_or(ErrorKind::NoSlots)?;
        let client = &mut self.0[index];
        if client.stage != Stage::Away {
            return Err(ErrorKind::Exists);
        }
        (client.token, client.stage) = (token, Stage::Coming);
        Ok((index, client.page.map(|(_, buffer)| buffer)))
    }
}

impl Open {
    /// A component comes, for the first time or again; its page.
    pub(super) fn attach(&self, token: Token) -> Result<[u64; 3]> {
        if token == 0 {
            return Err(ErrorKind::Denied);
        }
        let (index, known) = self.state.lock().clients.begin(token)?;
        // Not under the lock.
        let new = known.is_none().then(|| self.machine.share(1)).transpose();
        let mut state = self.state.lock();
        let client = &mut state.clients.0[index];
        match new {
            Ok(new) => {
                client.page =
                    new.map(|(memory, buffer)| (Page::of(&memory), buffer)).or(client.page);
                client.stage = Stage::Attached;
                let buffer = client.page.map_or(0, |(_, buffer)| buffer);
                Ok([buffer.into(), 0, 0])
            }
            Err(error) => {
                client.stage = Stage::Away;
                Err(error.kind)
            }
        }
    }
}

impl State {
    /// All that the component had leaves, and its names are free.
    pub(super) fn end(&mut self, who: ComponentId) {
        self.unpublish(who);
        self.queues.bury(who);
        self.lose_all(Gone::Closed);
        self.objects.bury(who, Gone::Closed);
        if let Some(client) = self.clients.0.get_mut(who as usize) {
            client.stage = Stage::Away;
        }
    }
}
