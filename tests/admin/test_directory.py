"""The diagnosis of the directory, on the administrator's screen."""

from __future__ import annotations

from demo import people


def test_the_way_there_is_told_stage_by_stage(admin):
    assert "Tout va bien" not in admin.get("/admin/directory")
    admin.get("/admin/directory?look=1&login=AMELIE.NOEL")

    assert "Tout va bien" in admin.text
    assert "Amélie Noël" in admin.text
    assert people.PEOPLE_BASE in admin.text


def test_what_is_wrong_is_named_with_what_to_do(admin):
    admin.get("/admin/directory?look=1&login=nobody.here")

    assert "Une chose ne va pas" in admin.text
    assert "nobody.here" in admin.text
    assert "login_attributes" in admin.text


def test_a_directory_that_is_down_is_a_finding(admin, company):
    admin.get("/admin/directory")
    company.directory.fault = "down"
    admin.get("/admin/directory?look=1")

    assert "[directory] urls" in admin.text


def test_what_is_typed_is_shown_as_text(admin):
    admin.get("/admin/directory?look=1&login=%3Cscript%3Ealert(1)%3C/script%3E*)(uid=*")

    assert "<script>alert(1)" not in admin.page
