"""Who may give which right where, against a plain reading of the rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import roles
from domain.errors import NotFound, RuleBroken

SITES = (None, "bath", "reykjavik")
GRANTS = st.frozensets(st.tuples(st.sampled_from(SITES), st.sampled_from(roles.RIGHTS)))


def plain_holds(held, right, site):
    return any(one == right and where in (None, site) for where, one in held)


@given(GRANTS, GRANTS, GRANTS)
def test_nobody_gives_what_they_do_not_hold_there_themselves(held, before, after):
    changed = before ^ after
    may = all(plain_holds(held, "STAFF_MANAGE", site) for site, _ in changed) and all(
        plain_holds(held, right, site) for site, right in after - before
    )
    if may:
        roles.check_giving(held, before, after)
    else:
        with pytest.raises(roles.BeyondOwnRights):
            roles.check_giving(held, before, after)


@given(GRANTS, GRANTS)
def test_what_can_be_given_is_what_the_rule_lets_through(held, before):
    for site in SITES:
        for right in roles.RIGHTS:
            after = before | {(site, right)}
            offered = right in roles.givable(held, site)
            try:
                roles.check_giving(held, before, after)
            except roles.BeyondOwnRights:
                assert not offered
            else:
                assert offered or (site, right) in before


def test_rights_at_every_single_site_are_not_rights_at_all_sites():
    held = frozenset({("bath", "STAFF_MANAGE"), ("reykjavik", "STAFF_MANAGE")})
    assert not roles.may_touch(held, None)
    with pytest.raises(roles.BeyondOwnRights, match="some venues only"):
        roles.check_giving(held, frozenset(), frozenset({(None, "STAFF_MANAGE")}))


def test_each_role_is_a_mixture_of_its_own_and_found_by_it():
    assert len({role.rights for role in roles.ROLES}) == len(roles.ROLES)
    for role in roles.ROLES:
        assert roles.role_of(role.rights) == role
        assert roles.read_choice(role.key, ["STAFF_MANAGE"]) == role.rights
        assert roles.say_rights(role.rights) == role.name
    assert roles.say_rights({"STAFF_MANAGE", "REPORTS_VIEW"}) == "Reports, Staff"
    assert roles.say_rights(()) == "No access"
    assert set(roles.WORDS) == set(roles.RIGHTS)


def test_ticks_count_for_an_own_mixture_only():
    assert roles.read_choice("mixture", ["REPORTS_VIEW"]) == {"REPORTS_VIEW"}
    assert roles.read_choice("none", ["REPORTS_VIEW"]) == frozenset()
    for choice, ticked in (("emperor", []), ("mixture", ["ANYTHING"]), ("", [])):
        with pytest.raises(RuleBroken, match="Choose a role"):
            roles.read_choice(choice, ticked)


def test_rights_as_a_command_takes_them():
    assert roles.read_rights(" settings_manage,REPORTS_VIEW ,") == {
        "SETTINGS_MANAGE", "REPORTS_VIEW",
    }  # fmt: skip
    for text in ("", "SETTINGS", "SETTINGS_MANAGE;REPORTS_VIEW"):
        with pytest.raises(RuleBroken, match="They are: SETTINGS_MANAGE"):
            roles.read_rights(text)


def test_r1_a_foreign_site_is_not_found():
    roles.check_sites({(None, "REPORTS_VIEW"), ("bath", "REPORTS_VIEW")}, {"bath"})
    with pytest.raises(NotFound):
        roles.check_sites({("elsewhere", "REPORTS_VIEW")}, {"bath"})


WHOLE = frozenset({(None, "STAFF_MANAGE")})


def test_somebody_who_manages_all_staff_stays():
    roles.check_somebody_stays(WHOLE, frozenset(), others=1)
    roles.check_somebody_stays(frozenset(), frozenset(), others=0)
    roles.check_somebody_stays(WHOLE, WHOLE, others=0)
    with pytest.raises(roles.LastStaffManager):
        roles.check_somebody_stays(WHOLE, frozenset({("bath", "STAFF_MANAGE")}), others=0)


def test_ending_ones_own_right_to_manage_staff_wants_a_second_word():
    ask = roles.check_keeps_own
    ask(WHOLE, frozenset(), is_own=False, is_sure=False)
    ask(WHOLE, frozenset(), is_own=True, is_sure=True)
    ask(WHOLE, WHOLE, is_own=True, is_sure=False)
    with pytest.raises(roles.OwnStaffRight):
        ask(WHOLE, frozenset(), is_own=True, is_sure=False)
