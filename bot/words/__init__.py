"""The words that all of Tocsin is made of. They import nothing of ours and do nothing by themselves."""
