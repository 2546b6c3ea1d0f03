//! What an attribute declares: a name and a version.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Ident, LitInt, LitStr, Token};

pub(crate) struct Declared {
    pub(crate) name: LitStr,
    pub(crate) version: u32,
}

/// Of the arguments of the attribute `what`.
pub(crate) fn declared(what: &str, arguments: TokenStream) -> syn::Result<Declared> {
    let article = if what.starts_with('i') { "an" } else { "a" };
    let (name, version) = arguments_of.parse2(arguments).map_err(|error| {
        let usage = format!(
            "{article} {what} declares a name and a version: #[{what}(\"name\", version = 1)]"
        );
        Error::new(error.span(), usage)
    })?;
    check_name(what, &name)?;
    let version = version.base10_parse().map_err(|_| {
        let why = format!("the version of {article} {what} is a number that fits a `u32`");
        Error::new(version.span(), why)
    })?;
    Ok(Declared { name, version })
}

fn arguments_of(input: ParseStream<'_>) -> syn::Result<(LitStr, LitInt)> {
    let name: LitStr = input.parse()?;
    if input.is_empty() {
        return Err(Error::new(name.span(), "no version"));
    }
    input.parse::<Token![,]>()?;
    let key: Ident = input.parse()?;
    if key != "version" {
        return Err(Error::new(key.span(), "not a version"));
    }
    input.parse::<Token![=]>()?;
    let version = input.parse()?;
    input.parse::<Option<Token![,]>>()?;
    if input.is_empty() { Ok((name, version)) } else { Err(input.error("too much")) }
}

fn check_name(what: &str, name: &LitStr) -> syn::Result<()> {
    let text = name.value();
    if text.is_empty() || text.len() > 31 || text.starts_with('.') || text.contains('\0') {
        let article = if what.starts_with('i') { "an" } else { "a" };
        return Err(Error::new(
            name.span(),
            format!(
                "the name of {article} {what} has 1 to 31 bytes, none of them 0, and does not \
                 begin with '.'"
            ),
        ));
    }
    Ok(())
}
