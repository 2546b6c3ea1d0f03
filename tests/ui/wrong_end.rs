use res::{Backend, Comp, Fault, Kind, Rx, Slot, Spsc, Tx};

const LINES: Slot<Rx<Spsc, u64>> = Slot::new("lines");

fn one_kind<B: Backend>(b: &B, reader: &Comp<B>) -> Result<(), Fault> {
    let (tx, _rx) = b.chan::<Spsc, u64>(4)?;
    reader.endow(LINES, tx)?;
    Ok(())
}

fn any_kind<B: Backend, K: Kind<B>>(b: &B, writer: &Comp<B>) -> Result<(), Fault> {
    let (_tx, rx) = b.chan::<K, u64>(4)?;
    writer.endow(Slot::<Tx<K, u64>>::new("lines"), rx)?;
    Ok(())
}

fn main() {}
