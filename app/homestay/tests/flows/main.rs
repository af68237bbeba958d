//! The flows across domains, played against the running program: each in both modes, from one body.
//!
//! Those of the distributed mode need `HOMESTAY_TEST_POSTGRES_URL`, `HOMESTAY_TEST_REDIS_URL`, `HOMESTAY_TEST_KAFKA_BROKERS`
//! (`deploy/infra/infra up` prints them) and nginx; without them they do nothing. What is about one mode alone is a test of its
//! module.

mod audit;
mod authorisation;
mod booking;
mod changes;
mod closing;
mod contention;
mod costs;
mod crash;
mod demo;
mod harness;
mod idempotency;
mod input;
mod nights;
mod operators;
mod people;
mod policies;
mod processes;
mod providers;
mod race;
mod startup;

macro_rules! in_both_modes {
    ($($module:ident { $($flow:ident,)* })*) => {
        mod embedded {
            $(mod $module { $(
                #[tokio::test]
                async fn $flow() {
                    crate::$module::$flow(crate::harness::Mode::Embedded).await;
                }
            )* })*
        }
        mod distributed {
            $(mod $module { $(
                #[tokio::test]
                async fn $flow() {
                    if crate::harness::fleet::engines().is_some() {
                        crate::$module::$flow(crate::harness::Mode::Distributed).await;
                    }
                }
            )* })*
        }
    };
}

// A flow that is not in this list is one that nobody plays: the compiler warns of it.
in_both_modes! {
    audit {
        books_that_agree_are_passed_and_every_kind_of_corruption_is_named,
    }
    authorisation {
        every_route_answers_each_kind_of_caller_as_the_table_says,
    }
    booking {
        a_guest_books_and_pays_and_gets_a_check_in_code,
        the_looklook_face_does_the_same,
        a_declined_payment_leaves_the_order_payable,
    }
    changes {
        a_cheaper_stay_gives_the_difference_back_and_a_dearer_one_waits_for_it,
        an_unpaid_booking_is_changed_and_paid_at_its_new_price,
        nights_of_others_are_not_taken_by_a_change,
    }
    closing {
        an_unpaid_order_closes_and_its_nights_are_free_again,
        a_cancelled_order_gives_its_nights_back_at_once,
        late_money_takes_the_nights_again_when_they_are_free,
        late_money_is_refunded_after_the_guest_cancelled,
    }
    contention {
        of_64_clients_on_the_same_nights_one_books_and_the_others_are_told_so,
        adjacent_stays_both_succeed,
        the_same_key_makes_one_order_also_at_once_and_never_another_one,
        a_burst_of_64_clients_on_different_houses_and_routes_sees_no_server_error,
        a_connection_dropped_at_any_moment_of_a_create_leaves_order_and_hold_agreeing,
    }
    costs {
        a_create_is_two_calls_and_a_paid_booking_fifteen_besides_what_is_batched,
    }
    crash {
        killed_at_many_points_of_a_day_it_starts_again_and_everything_agrees,
    }
    demo {
        the_demo_succeeds_again_and_again_where_orders_close_soon,
        where_orders_close_late_the_demo_shows_it_on_a_private_system_and_removes_that,
    }
    idempotency {
        a_key_stands_for_one_request_however_it_is_written_and_as_long_as_its_order,
        a_key_that_is_none_is_refused_wherever_money_or_nights_are_asked_for,
        a_key_of_a_payment_stands_for_its_order_and_payment,
    }
    input {
        bad_bookings_are_refused_by_field_and_change_nothing,
        the_looklook_face_names_its_own_fields,
        tokens_routes_verbs_and_bodies_that_are_wrong_get_their_status,
        a_nul_is_refused_by_its_field_whoever_sends_it,
        foreign_orders_look_like_unknown_ones,
        chunked_bodies_are_read_and_those_cut_short_change_nothing,
    }
    nights {
        a_host_sets_rules_and_keeps_nights_and_guests_are_told_why,
        no_night_is_sold_twice_however_many_want_it,
    }
    operators {
        operators_see_jobs_and_queues_and_guests_do_not,
        health_and_metrics_are_served_on_their_own_port,
        the_openapi_document_and_its_page_are_served,
        answers_are_as_the_openapi_document_says,
    }
    race {
        payments_around_expiry_are_confirmed_or_refunded_whatever_is_killed,
    }
    people {
        a_granted_role_counts_from_the_next_refresh_on,
        the_first_admin_is_made_from_its_secret_and_logins_are_throttled,
        the_logs_of_a_day_name_orders_and_traces_and_no_secret,
    }
    policies {
        the_preview_is_what_a_cancellation_gives_back,
        a_host_gives_everything_back_and_sees_no_code,
        money_that_the_policy_keeps_is_kept,
        a_changed_booking_gives_no_more_back_than_its_policy_gave,
    }
    startup {
        a_request_that_is_half_sent_does_not_keep_the_program_from_stopping,
    }
}
