//! The attribute `#[message]`. Use it through `res_api::message` or the facade.

use proc_macro::TokenStream;
use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream as Tokens};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Data, DataStruct, DeriveInput, Error, Field, Fields, GenericParam, Ident, LitInt,
    LitStr, Path, Token,
};

mod fields;

/// Makes a struct a message: plain data that may travel between components.
///
/// `#[message("name", version = 1)]` declares its identity, lays it out like C, and derives what
/// zerocopy needs to prove that it has no padding and no pointers. The fields are messages too; the
/// type of the last one is as visible as the message, because zerocopy's derive mentions it.
/// The crate that uses it depends on `res-api` or on the facade `res`, under whatever name.
///
/// The struct also becomes `Clone` and `Copy`.
#[proc_macro_attribute]
pub fn message(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let kept = item.clone();
    match syn::parse(arguments).and_then(|arguments| expand(&arguments, &syn::parse(item)?)) {
        Ok(message) => message.into(),
        // With the item, what uses it does not complain too.
        Err(error) => {
            kept.into_iter().chain(TokenStream::from(error.into_compile_error())).collect()
        }
    }
}

struct Arguments {
    name: LitStr,
    version: u32,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (name, version) = parse_arguments(input).map_err(|error| {
            let usage =
                "a message declares a name and a version: #[message(\"name\", version = 1)]";
            Error::new(error.span(), usage)
        })?;
        check_name(&name)?;
        let version = version.base10_parse().map_err(|_| {
            Error::new(version.span(), "the version of a message is a number that fits a `u32`")
        })?;
        Ok(Self { name, version })
    }
}

fn parse_arguments(input: ParseStream<'_>) -> syn::Result<(LitStr, LitInt)> {
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

fn check_name(name: &LitStr) -> syn::Result<()> {
    let text = name.value();
    if text.is_empty() || text.len() > 31 || text.starts_with('.') || text.contains('\0') {
        return Err(Error::new(
            name.span(),
            "the name of a message has 1 to 31 bytes, none of them 0, and does not begin with '.'",
        ));
    }
    Ok(())
}

fn expand(arguments: &Arguments, item: &DeriveInput) -> syn::Result<Tokens> {
    let fields = named_fields(item)?;
    reject_generics(item)?;
    reject_attributes(&item.attrs)?;
    fields::check(fields)?;
    let Arguments { name, version } = arguments;
    let api = api_path();
    let ident = &item.ident;
    // A constant of that name where the attribute is used would be taken for a pattern.
    let hash = Ident::new("__layout_hash", Span::mixed_site());
    let layout = fields.iter().map(|field| {
        let (name, ty) = (&field.ident, &field.ty);
        let text = name.as_ref().map(ToString::to_string).unwrap_or_default();
        let cfgs = field.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        quote! {
            #(#cfgs)* {
                #hash = #api::layout_hash(#hash, #text.as_bytes());
                #hash = #api::layout_hash(#hash, &<#ty as #api::Message>::TAG.name.to_bytes());
                #hash = #api::layout_hash(#hash, &<#ty as #api::Message>::TAG.version.to_le_bytes());
                #hash = #api::layout_hash(#hash, &<#ty as #api::Message>::TAG.layout.to_le_bytes());
                #hash = #api::layout_hash(
                    #hash,
                    &(::core::mem::offset_of!(Self, #name) as ::core::primitive::u64).to_le_bytes(),
                );
            }
        }
    });
    let zerocopy = quote!(#api::zerocopy).to_string().replace(' ', "");
    Ok(quote! {
        #[::core::prelude::v1::derive(
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
                    let mut #hash = #api::LAYOUT_SEED;
                    #(#layout)*
                    #hash
                },
            );
        }
    })
}

fn named_fields(item: &DeriveInput) -> syn::Result<&Punctuated<Field, Token![,]>> {
    let ident = &item.ident;
    let (span, cure) = match &item.data {
        Data::Struct(DataStruct { fields: Fields::Named(fields), .. }) => return Ok(&fields.named),
        Data::Struct(DataStruct { fields: fields @ Fields::Unnamed(_), .. }) => {
            (quote!(#fields), "give its fields names")
        }
        Data::Struct(_) => (quote!(#ident), "without any, write `{}`, or send `()`"),
        Data::Enum(_) => (quote!(#ident), "an enum travels as an integer, such as a field `u8`"),
        Data::Union(_) => (quote!(#ident), "a union travels as bytes, such as a field `[u8; 8]`"),
    };
    Err(Error::new_spanned(span, format!("a message is a struct with named fields: {cure}")))
}

fn reject_generics(item: &DeriveInput) -> syn::Result<()> {
    let why = match item.generics.params.first() {
        None => return Ok(()),
        Some(GenericParam::Lifetime(_)) => {
            "a message borrows nothing, as what it borrows does not travel: send the data itself"
        }
        Some(_) => {
            "a message has no parameters, as its layout must be known: write a struct for each type"
        }
    };
    Err(Error::new_spanned(&item.generics, why))
}

/// Rejects what the expansion would collide with.
fn reject_attributes(attributes: &[Attribute]) -> syn::Result<()> {
    for attribute in attributes {
        if attribute.path().is_ident("repr") {
            let why = "a message is laid out like C: leave `repr` out";
            return Err(Error::new_spanned(attribute, why));
        }
        if attribute.path().is_ident("derive") {
            attribute.parse_nested_meta(|meta| match meta.path.segments.last() {
                Some(last) if last.ident == "Clone" || last.ident == "Copy" => {
                    let why = "a message is `Clone` and `Copy` already: leave them out";
                    Err(Error::new_spanned(meta.path, why))
                }
                _ => Ok(()),
            })?;
        }
    }
    Ok(())
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
