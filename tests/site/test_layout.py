"""A folder can be taken in at a glance (docs/development.md)."""

from tests.layout import MOST_FILES, files_by_folder, python_files


def test_no_folder_holds_more_python_files_than_a_reader_takes_in():
    counted = files_by_folder(python_files())

    assert counted, "no files found"
    assert {str(folder): count for folder, count in counted.items() if count > MOST_FILES} == {}
