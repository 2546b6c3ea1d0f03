//! What is known to all under a name.

use res_api::{ErrorKind, Gone, Name, Role};

use super::parcels::{ParcelId, Taken};
use super::{Page, Result, State};
use crate::ends::ComponentId;

/// Names of a system.
const NAMES: usize = 32;
/// Names of one component.
const OF_ONE: usize = 16;

struct Published {
    name: Name,
    owner: ComponentId,
    /// None: the first who asked has it. The name stays taken.
    parcel: Option<ParcelId>,
}

/// The names.
pub(super) struct Names([Option<Published>; NAMES]);

impl Names {
    pub(super) const fn new() -> Self {
        Self([const { None }; NAMES])
    }

    fn find(&mut self, name: Name) -> Option<&mut Published> {
        self.0.iter_mut().flatten().find(|published| published.name == name)
    }

    /// A place for a name of that component.
    fn vacant(&mut self, owner: ComponentId) -> Result<&mut Option<Published>> {
        let of_one = self.0.iter().flatten().filter(|published| published.owner == owner).count();
        let vacant = self.0.iter_mut().find(|place| place.is_none());
        vacant.filter(|_| of_one < OF_ONE).ok_or(ErrorKind::NoSlots)
    }
}

/// The name at the beginning of a page.
fn name_in(page: Page) -> Result<Name> {
    let mut bytes = [0; Name::SIZE];
    page.take(&mut bytes);
    Name::from_bytes(bytes)
}

impl State {
    pub(super) fn publish(&mut self, owner: ComponentId, page: Page, len: usize) -> Result<()> {
        let name = name_in(page)?;
        if self.names.find(name).is_some() {
            return Err(ErrorKind::Exists);
        }
        let vacant = self.names.vacant(owner)?;
        let all = (&mut self.objects, &mut self.queues);
        let parcel = self.parcels.accept(all, owner, (page, len))?;
        self.parcels.set_out((&mut self.objects, &mut self.queues), owner, parcel)?;
        *vacant = Some(Published { name, owner, parcel: Some(parcel) });
        Ok(())
    }

    pub(super) fn lookup(&mut self, who: ComponentId, page: Page) -> Result<[u64; 3]> {
        let published = self.names.find(name_in(page)?).ok_or(ErrorKind::NotFound)?;
        let parcel = published.parcel.ok_or(ErrorKind::NotFound)?;
        let taken = match self.parcels.look(&mut self.objects, parcel, who)? {
            Role::Mem | Role::CapSnd => Taken::Another,
            _ => Taken::It,
        };
        if taken == Taken::It {
            published.parcel = None;
        }
        let all = (&mut self.objects, &mut self.queues);
        self.parcels.deliver(all, (parcel, taken), (who, page))
    }

    /// The names of a component go with it.
    pub(super) fn unpublish(&mut self, owner: ComponentId) {
        for place in &mut self.names.0 {
            let gone = place.take_if(|published| published.owner == owner);
            if let Some(parcel) = gone.and_then(|published| published.parcel) {
                self.parcels.give_up(parcel);
            }
        }
        self.lose_all(Gone::Closed);
    }
}
