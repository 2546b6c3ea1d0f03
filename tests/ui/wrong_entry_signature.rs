use res::{Backend, Env, Fault, Local, Name};

const NAME: Name = Name::new("worker");

fn without_env() -> Result<(), Fault> {
    Ok(())
}

fn by_reference(_: &Env<Local>) -> Result<(), Fault> {
    Ok(())
}

fn with_error(_: Env<Local>) -> Result<(), std::io::Error> {
    Ok(())
}

fn main() -> Result<(), Fault> {
    let system = Local::new()?;
    system.component(NAME, without_env)?;
    system.component(NAME, by_reference)?;
    system.component(NAME, with_error)?;
    Ok(())
}
