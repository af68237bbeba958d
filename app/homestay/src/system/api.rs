//! The api targets: each domain's routes, and the one document of all of them.

use axum::Router;
use homestay_http::{Edge, Keys};
use homestay_rpc::{Actor, Channel, Identity, LocalSlot};
use utoipa_axum::router::OpenApiRouter;

use super::links::Links;
use crate::openapi;
use crate::settings::Settings;
use crate::targets::Domain;

/// All HTTP routes of these domains' api targets. `/openapi.json` describes those of all domains, whoever serves it: guests
/// see one host.
///
/// # Errors
/// A sentence naming the endpoints that are no addresses.
pub fn routes(domains: &[Domain], links: &Links, keys: &Keys, settings: &Settings) -> Result<Router, String> {
    // A description calls nobody.
    let nowhere = |_| Ok(LocalSlot::default().channel(Identity::new("", &Actor::Anonymous)));
    let mut all = OpenApiRouter::<()>::new();
    let mut served = Router::new();
    for domain in Domain::ALL {
        if domains.contains(&domain) {
            let (rest, looklook) = faces(domain, &|domain| links.guests(domain))?;
            let (routes, api) = rest.split_for_parts();
            all = all.merge(OpenApiRouter::with_openapi(api));
            served = served.merge(routes).merge(looklook);
        } else {
            let (_, api) = faces(domain, &nowhere)?.0.split_for_parts();
            all = all.merge(OpenApiRouter::with_openapi(api));
        }
    }
    let edge = Edge {
        keys: keys.clone(),
        deadline: settings.gateway.deadline,
        compat_status: settings.gateway.compat_status,
        trust_forwarded: settings.gateway.trust_forwarded,
        cors_origins: settings.gateway.cors_origins.clone(),
    };
    Ok(edge.around(served.merge(openapi::page(all.into_openapi()))))
}

/// The REST routes of a domain, and its others.
fn faces(
    domain: Domain,
    link: &dyn Fn(Domain) -> Result<Channel, String>,
) -> Result<(OpenApiRouter, Router), String> {
    Ok(match domain {
        Domain::Order => {
            let api = order_api::Api::new(link(Domain::Order)?, link(Domain::Payment)?);
            (order_api::rest(api.clone()), order_api::looklook(api))
        }
        Domain::Payment => {
            let api = payment_api::Api::new(link(Domain::Payment)?);
            let looklook = payment_api::looklook(api.clone());
            (
                payment_api::rest(api.clone()),
                looklook.merge(payment_api::sandbox(api)),
            )
        }
        Domain::Travel => {
            let api = travel_api::Api::new(link(Domain::Travel)?, link(Domain::Usercenter)?);
            (travel_api::rest(api.clone()), travel_api::looklook(api))
        }
        Domain::Usercenter => {
            let api = usercenter_api::Api::new(link(Domain::Usercenter)?);
            (usercenter_api::rest(api.clone()), usercenter_api::looklook(api))
        }
        Domain::Mqueue => {
            let api = mqueue_api::Api::new(link(Domain::Mqueue)?);
            (mqueue_api::rest(api), Router::new())
        }
    })
}
