Feature: sample
  Scenario: first
    Given nothing

  Scenario: second
    Given a long wait
