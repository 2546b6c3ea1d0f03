//! What is pushed into a queue of capabilities goes to its receiver at once, ahead of being asked
//! for: so who receives it waits for nobody.
//!
//! What has been sent ahead is the receiver's. If it gives the receiving end away, it gives back
//! what it has not received; if it dies, that leaves with all else that it had.

use backend_local::parcel::Parcel;
use res_api::{ErrorKind, Role};
use res_kernel::Isolation;

use super::serving::say;
use super::{Result, State};
use crate::board;
use crate::ends::{ComponentId, TRANSIT};
use crate::request::{Answer, Said};

/// How much may be under way to a component that it has not taken: with an answer, less than any
/// machine's socket holds, or it would not get that.
const AHEAD: u64 = 4;

impl<K: Isolation> State<K> {
    /// Sends what is next in a queue to its receiver, if that can be. What has to be asked for is
    /// received in that order, too: behind it nothing is sent ahead.
    pub(super) fn send_ahead(&mut self, id: u64) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let (Some(receiver), false, 1) = (queue.ends.receiver, queue.recalled, queue.items.len())
        else {
            return;
        };
        // Who has a door sees how much is here: what went ahead would be too much.
        if !queue.doors.is_empty() {
            return;
        }
        let Some((from, mut parcel)) = queue.items.pop_front() else { return };
        self.say_who_stays(&mut parcel);
        if !self.may_have_more(receiver) || !self.sends(receiver, id, (from, &parcel)) {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.items.push_front(from, parcel);
            }
            return;
        }
        self.leave_home(&parcel);
        // All of its objects are there: that was looked at as they were sent.
        let _ = self.hand_over(receiver, &parcel);
    }

    /// Whether the component takes what is sent to it, and may have more.
    fn may_have_more(&mut self, receiver: ComponentId) -> bool {
        let Some(client) = self.components.get(&receiver) else { return false };
        // Not where it has not said yet where it will say how much it has taken, and not to the one
        // that composes, which asks without a socket.
        let Some(board) = &client.board else { return false };
        let under_way = client.ahead.saturating_sub(board::taken::<K>(board));
        under_way < AHEAD && self.has_room(receiver).is_ok_and(|room| room)
    }

    /// Sends it.
    fn sends(
        &mut self,
        receiver: ComponentId,
        queue: u64,
        (sender, parcel): (ComponentId, &Parcel),
    ) -> bool {
        let Ok(items) = self.items_for(receiver, parcel) else { return false };
        let said = Said::Ahead(queue, parcel.clone(), sender);
        let Some(client) = self.components.get_mut(&receiver) else { return false };
        let socket = client.runs.as_ref().and_then(|running| running.socket.upgrade());
        let Some(socket) = socket else { return false };
        let sent = say::<K>(&socket, Answer { said, items }).is_ok();
        client.ahead += u64::from(sent);
        sent
    }

    /// The receiver is about to give the receiving end away.
    pub(super) fn recall(&mut self, client: ComponentId, id: u64) -> Result<Said> {
        self.holds_end(client, id, Role::CapRcv)?;
        let queue = self.queues.get_mut(&id).ok_or(ErrorKind::Stale)?;
        queue.recalled = true;
        Ok(Said::Done())
    }

    /// What was sent ahead comes back, the last first.
    pub(super) fn take_back(
        &mut self,
        client: ComponentId,
        id: u64,
        parcel: Parcel,
    ) -> Result<Said> {
        self.holds_end(client, id, Role::CapRcv)?;
        self.check(client, &parcel)?;
        self.may_enter(id, &parcel)?;
        let queue = self.queues.get_mut(&id).ok_or(ErrorKind::Stale)?;
        if !queue.recalled || queue.items.len() as u64 >= AHEAD + u64::from(queue.capacity) {
            return Err(ErrorKind::Invalid);
        }
        self.change_hands(&parcel, client, TRANSIT);
        self.count_references(&parcel);
        self.enter(id, &parcel);
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.items.push_front(client, parcel);
        }
        self.outdated.insert(id);
        Ok(Said::Done())
    }
}
