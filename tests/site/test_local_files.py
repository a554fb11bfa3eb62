"""Files that are made once, also when several processes start together."""

import threading

from tradingsite.local_files import keep


def test_threads_that_start_together_agree(tmp_path):
    barrier = threading.Barrier(8)
    seen = []

    def start(number):
        barrier.wait()
        seen.append(keep(tmp_path / "folder" / "secret", lambda: f"made by {number}"))

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["secret"]


def test_kept_text_is_not_made_again(tmp_path):
    keep(tmp_path / "port", lambda: "1")

    assert keep(tmp_path / "port", lambda: "2") == "1"
