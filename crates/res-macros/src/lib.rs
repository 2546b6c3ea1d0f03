//! The attribute `#[message]`. Use it through `res_api::message` or the facade.

use proc_macro::TokenStream;
use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream as Tokens};
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Fields, Ident, ItemStruct, LitInt, LitStr, Path, Token};

/// Makes a struct a message: plain data that may travel between components.
///
/// `#[message("name", version = 1)]` declares its identity, lays it out like C, and derives what
/// zerocopy needs to prove that it has no padding and no pointers. The fields are messages too.
/// The crate that uses it depends on `res-api` or on the facade `res`, under whatever name.
///
/// The struct also becomes `Clone` and `Copy`.
#[proc_macro_attribute]
pub fn message(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = syn::parse_macro_input!(arguments as Arguments);
    let item = syn::parse_macro_input!(item as ItemStruct);
    expand(&arguments, item).unwrap_or_else(Error::into_compile_error).into()
}

struct Arguments {
    name: LitStr,
    version: LitInt,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let usage = "write #[message(\"name\", version = 1)]";
        let name: LitStr = input.parse().map_err(|error| Error::new(error.span(), usage))?;
        check_name(&name)?;
        let mut version = None;
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let key: Ident = input.parse()?;
            if key != "version" {
                return Err(Error::new(key.span(), usage));
            }
            input.parse::<Token![=]>()?;
            version = Some(input.parse::<LitInt>()?);
        }
        let version = version.ok_or_else(|| Error::new(name.span(), usage))?;
        version.base10_parse::<u32>()?;
        Ok(Self { name, version })
    }
}

fn check_name(name: &LitStr) -> syn::Result<()> {
    let text = name.value();
    if text.is_empty() || text.len() > 31 || text.starts_with('.') || text.contains('\0') {
        return Err(Error::new(
            name.span(),
            "the name of a message has 1 to 31 bytes and does not begin with '.'",
        ));
    }
    Ok(())
}

fn expand(arguments: &Arguments, item: ItemStruct) -> syn::Result<Tokens> {
    let Fields::Named(fields) = &item.fields else {
        return Err(Error::new(item.fields.span(), "a message is a struct with named fields"));
    };
    if !item.generics.params.is_empty() {
        let why = "a message has no generic parameters: its layout must be known";
        return Err(Error::new(item.generics.span(), why));
    }
    reject_repr(&item.attrs)?;
    let Arguments { name, version } = arguments;
    let api = api_path();
    let ident = &item.ident;
    let layout = fields.named.iter().map(|field| {
        let (name, ty) = (&field.ident, &field.ty);
        let text = name.as_ref().map(ToString::to_string).unwrap_or_default();
        quote! {
            hash = #api::layout_hash(hash, #text.as_bytes());
            hash = #api::layout_hash(hash, &<#ty as #api::Message>::TAG.layout.to_le_bytes());
            hash = #api::layout_hash(
                hash,
                &(::core::mem::offset_of!(#ident, #name) as u64).to_le_bytes(),
            );
        }
    });
    let zerocopy = format!("{}", quote!(#api::zerocopy)).replace(' ', "");
    let derive = format_ident!("derive");
    Ok(quote! {
        #[#derive(
            ::core::clone::Clone,
            ::core::marker::Copy,
            #api::zerocopy::TryFromBytes,
            #api::zerocopy::IntoBytes,
            #api::zerocopy::KnownLayout,
            #api::zerocopy::Immutable,
        )]
        #[zerocopy(crate = #zerocopy)]
        #[repr(C)]
        #item

        impl #api::Message for #ident {
            const TAG: #api::Tag = #api::Tag::of::<Self>(
                #api::Name::new(#name),
                #version,
                {
                    let mut hash = #api::LAYOUT_SEED;
                    #(#layout)*
                    hash
                },
            );
        }
    })
}

/// The path of the api crate where the attribute is used.
fn api_path() -> Path {
    for package in ["res-api", "res"] {
        let name = match crate_name(package) {
            Ok(FoundCrate::Name(name)) => name,
            // Its examples and tests name it from outside.
            Ok(FoundCrate::Itself) => package.replace('-', "_"),
            Err(_) => continue,
        };
        let name = Ident::new(&name, Span::call_site());
        return syn::parse_quote!(::#name);
    }
    syn::parse_quote!(::res_api)
}

fn reject_repr(attributes: &[Attribute]) -> syn::Result<()> {
    match attributes.iter().find(|attribute| attribute.path().is_ident("repr")) {
        Some(repr) => Err(Error::new(repr.span(), "a message is laid out like C: leave repr out")),
        None => Ok(()),
    }
}
