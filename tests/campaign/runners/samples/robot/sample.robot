*** Settings ***
Library    OperatingSystem

*** Test Cases ***
First
    No Operation

Second
    Create File    %{REACHED}
    Sleep    60s
    Create File    %{FINISHED}
