"""No folder is crowded (docs/development.md)."""

from tests.layout import MOST_FILES, files_by_folder, python_files


def test_folders_have_at_most_25_python_files():
    counted = files_by_folder(python_files())

    assert counted, "no files found"
    assert {str(folder): count for folder, count in counted.items() if count > MOST_FILES} == {}
