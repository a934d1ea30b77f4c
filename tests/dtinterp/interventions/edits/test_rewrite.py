import torch

from dtinterp.dictionary.dictionary import encode_dense


def test_a_rewritten_row_is_what_the_dictionary_makes_of_the_edited_code(applied, names) -> None:
    """A complete basis loses nothing, so that here rewriting is setting."""
    rewritten = applied({"rewrite": {"feature": 3}, "to": 1.5})
    codes = encode_dense(names.dictionaries["turned"], rewritten)
    torch.testing.assert_close(codes[:, 3], torch.full((4,), 1.5), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rewritten, applied({"set": {"feature": 3}, "to": 1.5}), atol=1e-3, rtol=1e-3)
