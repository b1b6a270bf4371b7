"""Prompts of anywhere: files, folders, datasets of the Hub."""
