use std::collections::HashMap;

use homestay_error::{Error, Result};
use homestay_proto::usercenter::{GetProfilesRequest, Profile};

use crate::{Api, open};

/// Names and pictures of accounts, by id.
pub(crate) async fn profiles(api: &mut Api, mut ids: Vec<i64>) -> Result<HashMap<i64, Profile>> {
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let reply = api.users.get_profiles(open(GetProfilesRequest { ids })).await?;
    let profiles = reply.into_inner().profiles;
    Ok(profiles
        .into_iter()
        .map(|profile| (profile.id, profile))
        .collect())
}

/// The same for a list that is worth showing without them: none when the user centre does not answer.
pub(crate) async fn profiles_if_any(api: &mut Api, ids: Vec<i64>) -> HashMap<i64, Profile> {
    profiles(api, ids).await.unwrap_or_else(|error: Error| {
        tracing::warn!(error = %error.chain(), "a list is shown without names");
        HashMap::new()
    })
}
