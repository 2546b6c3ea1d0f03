//! The attribute `#[interface]`: a client and a dispatch of a trait.

use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, Ident, ItemTrait, Pat, ReturnType, Signature, TraitItem, TraitItemFn,
    Type, parse_quote_spanned,
};

use crate::declared::Declared;
use crate::path::path_of;

/// A method takes so many messages at most.
const MOST: usize = 8;

/// A method of the interface.
struct Method<'a> {
    docs: Vec<&'a Attribute>,
    name: &'a Ident,
    arguments: Vec<(&'a Ident, &'a Type)>,
    result: Type,
}

pub(crate) fn expand(declared: &Declared, item: &ItemTrait) -> syn::Result<Tokens> {
    check_trait(item)?;
    let methods: Vec<Method<'_>> = item.items.iter().map(method).collect::<syn::Result<_>>()?;
    let with = path_of(&["chan-impls", "res"]);
    let with = quote!(#with::generated);
    let interface = interface(declared, item, &methods, &with);
    let client = client(item, &methods, &with);
    Ok(quote! {
        #item
        #interface
        #client
    })
}

/// What both sides know.
fn interface(
    declared: &Declared,
    item: &ItemTrait,
    methods: &[Method<'_>],
    with: &Tokens,
) -> Tokens {
    let Declared { name, version } = declared;
    let ident = &item.ident;
    let tags = methods.iter().map(|method| {
        let (name, result) = (method.name.to_string(), &method.result);
        let types = method.arguments.iter().map(|(_, ty)| ty);
        quote! {
            __hash = #with::method(
                __hash,
                #name,
                &[#(<#types as #with::Message>::TAG),*],
                <#result as #with::Message>::TAG,
            );
        }
    });
    let payloads = methods.iter().map(|method| {
        let (types, result) = (method.types(), &method.result);
        quote! {
            let __needs = #with::payload(
                <#types as #with::Arguments>::BYTES,
                ::core::mem::size_of::<#result>(),
            );
            if __needs > __most {
                __most = __needs;
            }
        }
    });
    let entries = methods.iter().zip(0_u32..).map(|(method, entry)| {
        let (name, types) = (method.name, method.types());
        let arguments: Vec<_> = method.arguments.iter().map(|(name, _)| name).collect();
        quote! {
            #entry => __request.answer(
                |(#(#arguments,)*): #types| <Self as #ident>::#name(self, #(#arguments),*)
            ),
        }
    });
    quote! {
        impl #with::Interface for dyn #ident {
            const TAG: #with::Tag = #with::Tag::of::<()>(#with::Name::new(#name), #version, {
                let mut __hash = #with::NO_METHODS;
                #(#tags)*
                __hash
            });
            const PAYLOAD: ::core::primitive::u64 = {
                let mut __most = 0;
                #(#payloads)*
                __most
            };
        }

        impl #with::Dispatch for dyn #ident {
            fn dispatch<__B: #with::Backend>(&mut self, __request: #with::Request<'_, __B, Self>) {
                match __request.entry() {
                    #(#entries)*
                    _ => __request.reject(),
                }
            }
        }
    }
}

fn client(item: &ItemTrait, methods: &[Method<'_>], with: &Tokens) -> Tokens {
    let (ident, vis) = (&item.ident, &item.vis);
    let client = format_ident!("{ident}Client");
    let calls = methods.iter().zip(0_u32..).map(|(method, entry)| {
        let Method { docs, name, arguments, result } = method;
        let (names, types): (Vec<_>, Vec<_>) = arguments.iter().copied().unzip();
        let tuple = method.types();
        let undocumented = docs.is_empty().then(|| {
            let text = format!("Calls [`{ident}::{name}`].");
            quote!(#[doc = #text])
        });
        quote! {
            #(#docs)*
            #undocumented
            ///
            /// # Errors
            ///
            /// No answer until the deadline, or none at all.
            #vis fn #name(
                &mut self,
                #(#names: #types),*
            ) -> ::core::result::Result<#result, #with::CallError> {
                self.0.invoke::<#tuple, #result>(#entry, &(#(#names,)*))
            }
        }
    });
    let text = format!("A client of [`{ident}`]: calls it elsewhere.");
    quote! {
        #[doc = #text]
        #[derive(::core::fmt::Debug)]
        #vis struct #client<__B: #with::Backend>(#with::Stub<__B, dyn #ident>);

        #[allow(dead_code, clippy::too_many_arguments, reason = "it is as declared")]
        impl<__B: #with::Backend> #client<__B> {
            #(#calls)*
        }

        impl<__B: #with::Backend> ::core::convert::From<#with::Caller<__B, dyn #ident>>
            for #client<__B>
        {
            fn from(caller: #with::Caller<__B, dyn #ident>) -> Self {
                Self(::core::convert::From::from(caller))
            }
        }

        impl<__B: #with::Backend> ::core::ops::Deref for #client<__B> {
            type Target = #with::Stub<__B, dyn #ident>;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl<__B: #with::Backend> ::core::ops::DerefMut for #client<__B> {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.0
            }
        }
    }
}

impl Method<'_> {
    /// The arguments as a tuple, which the compiler finds where they are.
    fn types(&self) -> Tokens {
        let types = self.arguments.iter().map(|(_, ty)| ty);
        let span = self.arguments.first().map_or(self.name.span(), |(_, ty)| ty.span());
        quote_spanned!(span=> (#(#types,)*))
    }
}

fn check_trait(item: &ItemTrait) -> syn::Result<()> {
    if let Some(unsafety) = &item.unsafety {
        return Err(Error::new(unsafety.span(), "an interface is not unsafe: nobody is trusted"));
    }
    if !item.generics.params.is_empty() || item.generics.where_clause.is_some() {
        let span = item.generics.span();
        let span = item.generics.where_clause.as_ref().map_or(span, Spanned::span);
        return Err(Error::new(
            span,
            "an interface has no parameters, as both sides must know it: write one for each type",
        ));
    }
    if !item.supertraits.is_empty() {
        return Err(Error::new_spanned(
            &item.supertraits,
            "an interface has no supertraits: what is behind it is in another component",
        ));
    }
    Ok(())
}

fn method(item: &TraitItem) -> syn::Result<Method<'_>> {
    let TraitItem::Fn(item) = item else {
        return Err(Error::new_spanned(item, "an interface has methods and nothing else"));
    };
    let TraitItemFn { attrs, sig, default, .. } = item;
    if let Some(body) = default {
        let why = "a method of an interface has no body here: the server has it";
        return Err(Error::new_spanned(body, why));
    }
    for attribute in attrs {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            let why = "the methods of an interface are the same for everybody: no `cfg` here";
            return Err(Error::new_spanned(attribute, why));
        }
    }
    check_signature(sig)?;
    let mut inputs = sig.inputs.iter();
    check_receiver(sig, inputs.next())?;
    let arguments: Vec<_> = inputs.map(argument).collect::<syn::Result<_>>()?;
    if let Some((name, _)) = arguments.get(MOST) {
        let why = format!("a method of an interface takes up to {MOST} messages: make it a struct");
        return Err(Error::new(name.span(), why));
    }
    let result = match &sig.output {
        ReturnType::Default => parse_quote_spanned!(sig.ident.span()=> ()),
        ReturnType::Type(_, ty) => {
            check_type(ty)?;
            (**ty).clone()
        }
    };
    let docs = attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).collect();
    Ok(Method { docs, name: &sig.ident, arguments, result })
}

fn check_signature(sig: &Signature) -> syn::Result<()> {
    if let Some(token) = &sig.asyncness {
        let why = "a method of an interface is not async: a server has a thread for each client";
        return Err(Error::new(token.span(), why));
    }
    let odd = [
        sig.constness.as_ref().map(Spanned::span),
        sig.unsafety.as_ref().map(Spanned::span),
        sig.abi.as_ref().map(Spanned::span),
        sig.variadic.as_ref().map(Spanned::span),
    ];
    if let Some(span) = odd.into_iter().flatten().next() {
        return Err(Error::new(span, "a method of an interface is a plain `fn`"));
    }
    if !sig.generics.params.is_empty() || sig.generics.where_clause.is_some() {
        return Err(Error::new(
            sig.generics.params.span(),
            "a method of an interface has no parameters: what travels is of one type",
        ));
    }
    Ok(())
}

fn check_receiver(sig: &Signature, first: Option<&FnArg>) -> syn::Result<()> {
    let why = "a method of an interface takes `&mut self` first: a server has a state";
    match first {
        Some(FnArg::Receiver(it)) if is_mut_self(it) => Ok(()),
        Some(first) => Err(Error::new_spanned(first, why)),
        None => Err(Error::new(sig.ident.span(), why)),
    }
}

fn is_mut_self(receiver: &syn::Receiver) -> bool {
    let plain = receiver.colon_token.is_none();
    let lifetime = receiver.reference.as_ref().is_some_and(|(_, lifetime)| lifetime.is_some());
    plain && !lifetime && receiver.reference.is_some() && receiver.mutability.is_some()
}

fn argument(input: &FnArg) -> syn::Result<(&Ident, &Type)> {
    let FnArg::Typed(input) = input else {
        return Err(Error::new_spanned(input, "`self` comes first"));
    };
    let Pat::Ident(pat) = &*input.pat else {
        return Err(Error::new_spanned(&input.pat, "name this argument: clients have it, too"));
    };
    if pat.by_ref.is_some() || pat.mutability.is_some() || pat.subpat.is_some() {
        return Err(Error::new_spanned(pat, "name this argument: clients have it, too"));
    }
    check_type(&input.ty)?;
    Ok((&pat.ident, &input.ty))
}

/// What can be said of a type by its looks; the compiler finds the rest.
fn check_type(ty: &Type) -> syn::Result<()> {
    if let Type::ImplTrait(ty) = ty {
        let why = "what travels has one type: name it";
        return Err(Error::new_spanned(ty, why));
    }
    match crate::fields::cannot_travel(ty) {
        Some(why) => Err(Error::new_spanned(ty, why)),
        None => Ok(()),
    }
}
