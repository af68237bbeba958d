//! `homestay user`: which accounts have which role.

use std::collections::BTreeMap;

use clap::Subcommand;
use homestay_proto::usercenter::user_center_client::UserCenterClient;
use homestay_proto::usercenter::{GrantRequest, ListByRoleRequest};
use homestay_rpc::Channel;
use homestay_service::Health;
use homestay_types::Role;

use crate::folder::DataFolder;
use crate::secrets;
use crate::settings::{Mode, Settings, check_callable};
use crate::system::{Links, Place, System};
use crate::targets::{Domain, Targets};

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Gives an account a role: guest (which takes any other away), host, operator or admin. It has it from its next refresh
    /// of its session on; access tokens that are out say the old role until they end (auth.access_ttl; a host's of the
    /// looklook face: auth.looklook_ttl). The last admin stays.
    Grant {
        /// Mobile of the account.
        mobile: String,
        /// guest, host, operator or admin.
        role: Role,
    },
    /// Lists who has a role: operators and admins, or those of one.
    List {
        /// host, operator or admin.
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
    },
}

/// Runs it on the data folder of a stopped system, or, in the distributed mode, through usercenter-rpc.
///
/// # Errors
/// A sentence: the system runs, or what was refused or failed.
pub async fn run(settings: &Settings, command: &Command) -> Result<(), String> {
    match settings.mode {
        Mode::Embedded => {
            let folder = DataFolder::take(&settings.data_dir)?;
            let secrets = secrets::resolve(settings)?;
            let (targets, place) = (Targets::all(), Place::Folder(&folder));
            let base_url = "http://127.0.0.1:8888";
            let system =
                System::open(settings, &secrets, &targets, place, base_url, Health::default()).await?;
            carry_out(command, system.links.service("user", Domain::Usercenter)?).await
        }
        Mode::Distributed => {
            check_callable(settings, &[Domain::Usercenter], "homestay user")
                .map_err(|error| error.to_string())?;
            let secrets = secrets::resolve(settings)?;
            let links = Links::new(&secrets.internal_credential, settings, &Targets::none());
            carry_out(command, links.service("user", Domain::Usercenter)?).await
        }
    }
}

async fn carry_out(command: &Command, channel: Channel) -> Result<(), String> {
    let mut users = UserCenterClient::new(channel);
    let failed = |status: tonic::Status| homestay_error::Error::from(status).message().to_owned();
    match command {
        Command::Grant { mobile, role } => {
            let request = GrantRequest {
                mobile: mobile.clone(),
                role: role.as_str().to_owned(),
            };
            let reply = users.grant(request).await.map_err(failed)?.into_inner();
            let nickname = reply.nickname;
            if reply.before == role.as_str() {
                println!("{mobile} ({nickname}) is {role} already");
            } else {
                println!(
                    "{mobile} ({nickname}) is {role} now, was {}: from its next refresh on",
                    reply.before
                );
            }
        }
        Command::List { role } => {
            let roles = role.map_or_else(|| vec![Role::Operator, Role::Admin], |role| vec![role]);
            let mut lines = BTreeMap::new();
            for role in roles {
                let request = ListByRoleRequest {
                    role: role.as_str().to_owned(),
                };
                for user in users
                    .list_by_role(request)
                    .await
                    .map_err(failed)?
                    .into_inner()
                    .users
                {
                    let line = format!("{:<10}{:<13}{}", user.role, user.mobile, user.nickname);
                    lines.insert(user.id, line);
                }
            }
            for line in lines.values() {
                println!("{line}");
            }
        }
    }
    Ok(())
}
