"""Figures, tables, pages and cards made of scores. May use every other room."""
